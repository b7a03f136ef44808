"""Checkpoints of networks that nobody trained, but whose outputs differ from input to input and from class to class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from paddleprune.graph import build_graph
from paddleprune.pruning import make_plan, protect_hard_coded, prune
from paddleprune.registry import Registry
from paddleprune.sensitivity import rank
from paddleprune.testing.exactness import settle
from paddleprune.training import CheckpointInfo, save_checkpoint


def write_checkpoint(
    folder: Path,
    task: str,
    family: str,
    options: Mapping[str, Any],
    transforms: Sequence[Mapping[str, Any]] | None = None,
    *,
    pruned: bool = False,
    labels: Sequence[str] | None = None,
) -> Path:
    """A checkpoint of random weights, with the task's usual steps unless `transforms` names others.

    Pruned, each group has lost a random share, up to 60 %, of its units, which are drawn, too.
    """
    registry = Registry.discover()
    known = registry.options(task, family, options)
    paddle.seed(0)
    layer, shapes = registry.build_model(task, family, known), known.input_shapes()
    settle(layer, shapes)
    plan, generator = None, np.random.default_rng(3)
    if pruned:
        graph = build_graph(layer, [(1, *shape) for shape in shapes])
        graph = protect_hard_coded(layer, graph.protecting(registry.list_prunable(task, family, known, graph)))
        ratios = {group.name: float(generator.uniform(0.1, 0.6)) for group in graph.prunable}

        def drawn(name: str, filters: np.ndarray) -> np.ndarray:
            return generator.random(len(filters))

        rankings = rank(layer, graph, drawn)
        probe = [generator.standard_normal((2, *shape), np.float32) for shape in shapes]
        plan = prune(layer, graph, make_plan(graph, ratios, rankings, criterion="l1"), probe)
    steps = _usual(task, known) if transforms is None else transforms
    info = CheckpointInfo(
        task=task,
        family=family,
        options=known.model_dump(mode="json"),
        labels=tuple(labels or (f"class {number}" for number in range(known.num_classes))),
        transforms=tuple(map(dict, steps)),
        primary_metric="none",
    )
    save_checkpoint(folder, layer, info, plan)
    return folder


def _usual(task: str, options: Any) -> list[dict[str, Any]]:
    module = __import__(f"paddleprune_{task}.data.transforms", fromlist=["default_transforms"])
    wanted = {"split": "eval", "size": options.input_size, "channels": options.input_channels}
    taken = module.default_transforms.__code__.co_varnames[: module.default_transforms.__code__.co_argcount]
    return [step.model_dump(mode="json") for step in module.default_transforms(**{n: wanted[n] for n in taken})]
