"""What says which units go first: scores from labelled samples, or a function of the user's own by its place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import paddle

from paddleprune.api.calibration import labelled_batches
from paddleprune.api.layer.graph import LayerGraph
from paddleprune.api.layer.inputs import read_probe
from paddleprune.errors import ConfigError
from paddleprune.graph import ChannelGraph
from paddleprune.graph.inputs import leaves, map_leaves
from paddleprune.interfaces import Dataset, Scorer
from paddleprune.registry import Registry
from paddleprune.repair.record import part_of, size_of
from paddleprune.sensitivity import Importance, importance_by_gradients
from paddleprune.sensitivity.criteria.gradients import BATCH
from paddleprune.settings import DATA_CRITERIA, DataCriterion
from paddleprune.training import LoadedModel
from paddleprune.validation import choose_from

SAMPLES = 256
"""Labelled samples that a table's scores come from."""


def score_units(
    graph: LayerGraph,
    criterion: DataCriterion,
    inputs: Any,
    labels: Any,
    loss: Callable[[Any, Any], paddle.Tensor],
) -> Importance:
    """How much each unit of a traced layer matters to a loss, on labelled samples.

    What it gives stands wherever a criterion does: in `plan`, `prune_layer` and `analyze_layer`. Gradients that the
    layer's parameters hold are cleared.

    Args:
        graph: the traced layer.
        criterion: "taylor", the first order of the loss's change (Molchanov et al. 2019), or "obd", the diagonal of
            its second one (LeCun et al. 1990).
        inputs: of the layer, [N, ...] for each argument of its forward; 200 suffice. Take them from training data.
        labels: what the loss wants for them: an array [N, ...], or a nest of those.
        loss: (what the layer gives for some of the inputs, their labels) -> a scalar tensor, such as
            `paddle.nn.CrossEntropyLoss()`. The layer is in evaluation mode; several outputs come as a tuple.

    Raises:
        ConfigError: an argument can't be used, or the loss can't be computed or is no number.
    """
    if criterion not in DATA_CRITERIA:
        raise ConfigError(f"unknown criterion {criterion!r}{choose_from(str(criterion), DATA_CRITERIA)}")
    graph.check_current()
    given, targets = read_probe(inputs), map_leaves(np.asarray, labels)
    count, found = size_of(given), {leaf.shape[:1] for leaf in leaves(targets)}
    if found != {(count,)}:
        said = "; ".join(str(leaf.shape) for leaf in leaves(targets)[:3]) or "none"
        raise ConfigError(f"labels must be arrays with a label for each of the {count} inputs, not {said}")

    def called(outputs: tuple[paddle.Tensor, ...], some: Any) -> paddle.Tensor:
        return loss(outputs[0] if len(outputs) == 1 else outputs, some)

    batches = [
        (part_of(given, start, start + BATCH), _part(targets, start, start + BATCH)) for start in range(0, count, BATCH)
    ]
    return importance_by_gradients(graph.layer, graph.channels, called, batches, criterion)


def _part(targets: Any, start: int, stop: int) -> Any:
    return map_leaves(lambda array: array[start:stop], targets)


def score_by(
    registry: Registry, loaded: LoadedModel, graph: ChannelGraph, criterion: str, dataset: Dataset, samples: int
) -> Importance:
    """How much each unit of a checkpoint's network matters to the loss that it was trained with.

    Args:
        registry: knows the task's loss.
        loaded: the model.
        graph: its channel graph.
        criterion: one of `DATA_CRITERIA`.
        dataset: what labelled samples are drawn from.
        samples: how many, at most.

    Raises:
        ConfigError: the loss can't be computed.
        DataError: a sample can't be read.
    """
    info = loaded.info
    loss = registry.build_loss(info.task, registry.loss_config(info.task, info.loss), loaded.options, dataset)
    batches = labelled_batches(dataset, samples, BATCH)
    return importance_by_gradients(loaded.layer, graph, loss, batches, cast(DataCriterion, criterion))


def named_function(criterion: Any) -> Scorer | None:
    """The function that `package.module:function` names; None where that is no such name.

    Modules are found in the current directory and among what is installed.

    Raises:
        ConfigError: there is no such module or function, or it is none.
    """
    if not isinstance(criterion, str) or ":" not in criterion:
        return None
    name, _, function = criterion.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"`criterion` {criterion!r}: there is no module {error.name!r} in the current directory or among what "
                "is installed"
            ) from error
        raise ConfigError(f"`criterion` {criterion!r}: importing {name} fails: {error!r}") from error
    found = getattr(module, function, None)
    if found is None:
        own = [key for key, value in vars(module).items() if callable(value)]
        raise ConfigError(f"`criterion` {criterion!r}: {name} has no {function!r}{choose_from(function, own)}")
    if not callable(found):
        raise ConfigError(f"`criterion` {criterion!r}: that is a {type(found).__name__}, not a function")
    return cast(Scorer, found)
