"""What most calls start with: a checkpoint, its channel graph, its metric and its data."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddle import nn

from paddleprune.api.data import Data, open_dataset
from paddleprune.errors import CheckpointError, ConfigError
from paddleprune.files import user_path
from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.graph.tensors import not_finite
from paddleprune.interfaces import Dataset, Metric
from paddleprune.pruning import protect_hard_coded
from paddleprune.registry import Registry
from paddleprune.specs import FamilyOptions
from paddleprune.training import LoadedModel, load_model


def as_path(given: Any, what: str = "checkpoint") -> Path:
    """Where a file or folder is.

    Raises:
        ConfigError: it is something else than a path, such as a layer.
    """
    if isinstance(given, (str, os.PathLike)):
        return user_path(Path(given))
    other = "; for a layer of your own there are trace, analyze_layer, plan, shrink, compare_layers and export"
    raise ConfigError(f"{what} is a {type(given).__name__}; give a path{other if isinstance(given, nn.Layer) else ''}")


def open_model(registry: Registry, path: str | Path) -> LoadedModel:
    """Load a checkpoint; its network is in evaluation mode.

    Raises:
        ConfigError: it is no path.
        CheckpointError: it isn't whole, or a weight isn't a number.
    """
    loaded = load_model(as_path(path), registry)
    found = not_finite(loaded.layer)
    if found is not None:
        raise CheckpointError(f"{path}: {found}; use an earlier checkpoint, or train with a lower learning_rate")
    loaded.layer.eval()
    return loaded


@dataclass(frozen=True)
class Network:
    """A layer that can be run: a checkpoint's, or one of the user's own.

    Attributes:
        layer: the network.
        shapes: of its inputs, without the batch axis.
        loaded: the checkpoint; None for the user's own.
    """

    layer: nn.Layer
    shapes: Sequence[tuple[int, ...]]
    loaded: LoadedModel | None = None


def open_network(registry: Registry, given: str | Path | nn.Layer, shapes: Sequence[Sequence[int]]) -> Network:
    """What a user gives where a checkpoint or any layer will do.

    Raises:
        ConfigError: a layer has no shapes, or a checkpoint is given some.
        CheckpointError: it isn't whole.
    """
    if isinstance(given, nn.Layer):
        if not shapes:
            raise ConfigError("a layer's inputs have no known shapes; give shapes=[(3, 224, 224)], without the batch")
        return Network(given, [tuple(shape) for shape in shapes])
    if shapes:
        raise ConfigError(f"shapes are for a layer; the checkpoint {given} knows its own: leave them out")
    loaded = open_model(registry, given)
    return Network(loaded.layer, loaded.options.input_shapes(), loaded)


def graph_of(
    registry: Registry, layer: nn.Layer, task: str, family: str, options: FamilyOptions, *, depth: bool = False
) -> ChannelGraph:
    """The channel graph of a family's network, with what the network and its plugin protect; with its branches, too."""
    graph = build_graph(layer, [(1, *shape) for shape in options.input_shapes()], depth=depth)
    graph = graph.protecting(registry.list_prunable(task, family, options, graph))
    return protect_hard_coded(layer, graph)


def graph_of_loaded(registry: Registry, loaded: LoadedModel, *, depth: bool = False) -> ChannelGraph:
    """The channel graph of a checkpoint's network; with its residual branches, too."""
    return graph_of(registry, loaded.layer, loaded.info.task, loaded.info.family, loaded.options, depth=depth)


@dataclass(frozen=True)
class Evaluation:
    """What evaluating a checkpoint takes."""

    dataset: Dataset
    metric: Metric


def evaluation_of(
    registry: Registry, loaded: LoadedModel, data: Data, metric: Mapping[str, Any] | None = None
) -> Evaluation:
    """Open evaluation data for a checkpoint, with its own preprocessing, and its own metric but for these options.

    Raises:
        ConfigError: the data has other classes than the checkpoint.
    """
    info = loaded.info
    dataset = open_dataset(registry, info.task, data, "eval", loaded.options, info.transforms)
    check_labels(dataset, info.labels, "the checkpoint")
    return Evaluation(
        dataset, metric_of(registry, info.task, {**info.metric, **(metric or {})}, info.labels, loaded.options)
    )


def metric_of(registry: Registry, task: str, values: Mapping[str, Any], labels: Any, options: FamilyOptions) -> Metric:
    """Build a task's metric from what the user or a checkpoint says of it."""
    return registry.build_metric(task, registry.metric_config(task, values), labels, options)


def options_for(
    registry: Registry, task: str, family: str, values: Mapping[str, Any], labels: Sequence[str]
) -> FamilyOptions:
    """A family's options for data with such classes: there are as many as the data has.

    Raises:
        ConfigError: an option can't be used, or asks for another number of classes.
    """
    asked, found = values.get("num_classes"), len(labels)
    if asked not in (None, found):
        raise ConfigError(f"num_classes is {asked}, but the training data has {found} classes; leave num_classes out")
    return registry.options(task, family, {**values, "num_classes": found})


def check_labels(dataset: Dataset, labels: Any, whose: str) -> None:
    """Number the data's classes as expected where it knows them by name, and refuse data that has others.

    Raises:
        ConfigError, DataError: naming the first difference.
    """
    dataset.number_by(labels, whose)
    mine, theirs = list(dataset.labels), list(labels)
    if len(mine) != len(theirs):
        raise ConfigError(f"the data has {len(mine)} classes, but {whose} has {len(theirs)}")
    for number, (a, b) in enumerate(zip(mine, theirs, strict=True)):
        if a != b:
            raise ConfigError(f"class {number} is {a!r} in the data, but {b!r} in {whose}")
