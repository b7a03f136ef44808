"""The hooks. Each docstring holds a complete plugin that runs.

A plugin is a module named by an entry point of the group `paddleprune`. It imports cheaply:
no paddle, cv2 or paddleslim at module level, so that listing tasks and families is instant.
Implementations may take fewer arguments than the hooks declare.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from paddleprune.specs import Contract, DatasetConfig, Demo, FamilyInfo, FamilyOptions, Split, TaskInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paddle import nn

    from paddleprune.graph import ChannelGraph
    from paddleprune.interfaces import Dataset, Loss, Metric, Predictor

PROJECT = "paddleprune"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def paddleprune_register_tasks() -> Sequence[TaskInfo]:  # type: ignore[empty-body]
    """Name the tasks that this plugin brings. *(since 0.1)*"""


@hookspec
def paddleprune_register_families() -> Sequence[FamilyInfo]:  # type: ignore[empty-body]
    """Name the families that this plugin adds, to its own tasks or to others'. *(since 0.1)*"""


@hookspec
def paddleprune_build_model(task: str, family: str, options: FamilyOptions) -> nn.Layer:  # type: ignore[empty-body]
    """Build a family, freshly initialised. Called on the plugin that registered the family. *(since 0.1)*"""


@hookspec
def paddleprune_list_prunable(
    task: str, family: str, options: FamilyOptions, graph: ChannelGraph
) -> Mapping[str, str]:  # type: ignore[empty-body]
    """Say which groups must stay whole: group name -> reason. *(since 0.1)*

    Called on the plugin that registered the family. Optional: everything that the graph itself
    does not protect may be pruned.
    """


@hookspec
def paddleprune_build_dataset(task: str, config: DatasetConfig, split: Split, options: FamilyOptions) -> Dataset:  # type: ignore[empty-body]
    """Open the data of a split. Called on the plugin that registered the task. *(since 0.1)*"""


@hookspec
def paddleprune_build_loss(task: str, config: Contract, options: FamilyOptions) -> Loss:  # type: ignore[empty-body]
    """Build what training minimises. Called on the plugin that registered the task. *(since 0.1)*"""


@hookspec
def paddleprune_build_metric(task: str, config: Contract, labels: Sequence[str]) -> Metric:  # type: ignore[empty-body]
    """Build what evaluation reports. Called on the plugin that registered the task. *(since 0.1)*"""


@hookspec
def paddleprune_build_predictor(  # type: ignore[empty-body]
    task: str, options: FamilyOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]
) -> Predictor:
    """Build what turns one image into a result. Called on the plugin that registered the task. *(since 0.1)*

    `transforms` is the JSON form of the evaluation dataset's `transforms`, as the checkpoint stores it.
    """


@hookspec
def paddleprune_demo(task: str, directory: Path) -> Demo:  # type: ignore[empty-body]
    """Write real data below `directory` and return the recipe of `paddleprune demo`. *(since 0.1)*

    Called on the plugin that registered the task. Optional.
    """
