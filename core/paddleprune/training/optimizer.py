"""Momentum with L2 weight decay, and its state under names that mean the same in every process.

Paddle names accumulators after `param.name`, a process-wide counter, and numbers them by another one;
so a second optimizer in one process can't load what the first one saved. Structured names can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import paddle
from paddle import nn

from paddleprune.errors import CheckpointError, ConfigError
from paddleprune.interfaces import Array
from paddleprune.paddle_private.tensors import accumulators, create_accumulators
from paddleprune.settings import TrainSettings
from paddleprune.training.weights import set_tensor, to_array


def build_optimizer(layer: nn.Layer, settings: TrainSettings, schedule: Any) -> Any:
    """A `paddle.optimizer.Momentum` over the layer's trainable parameters.

    Raises:
        ConfigError: the layer has none.
    """
    parameters = list(_trainable(layer).values())
    if not parameters:
        raise ConfigError("the model has no trainable parameter")
    return paddle.optimizer.Momentum(
        learning_rate=schedule,
        momentum=settings.momentum,
        parameters=parameters,
        weight_decay=settings.weight_decay,
    )


def optimizer_state(optimizer: Any, layer: nn.Layer) -> dict[str, Array]:
    """Copies of the accumulators that exist: `<structured parameter name>/<accumulator>` -> array."""
    return {name: to_array(tensor) for name, tensor in _accumulators(optimizer, layer)}


def restore_optimizer(optimizer: Any, layer: nn.Layer, state: Mapping[str, Array]) -> None:
    """Put back what `optimizer_state` took; accumulators that weren't there yet start at 0.

    Raises:
        CheckpointError: the state belongs to another model.
    """
    create_accumulators(optimizer, list(_trainable(layer).values()))
    there = dict(_accumulators(optimizer, layer))
    for name, array in state.items():
        if name not in there or tuple(there[name].shape) != array.shape:
            raise CheckpointError(f"the optimizer state {name!r} doesn't fit the model: resume the model it belongs to")
        set_tensor(there[name], array)


def _trainable(layer: nn.Layer) -> dict[str, Any]:
    return {name: tensor for name, tensor in layer.named_parameters() if not tensor.stop_gradient}


def _accumulators(optimizer: Any, layer: nn.Layer) -> Iterator[tuple[str, Any]]:
    for kind, tensors in accumulators(optimizer).items():
        for name, parameter in _trainable(layer).items():
            if parameter.name in tensors:
                yield f"{name}/{kind}", tensors[parameter.name]
