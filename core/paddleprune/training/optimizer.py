"""What moves the weights, and its state under names that mean the same in every process.

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
    """One of Paddle's optimizers over the layer's trainable parameters.

    Raises:
        ConfigError: the layer has none.
    """
    parameters = list(trainable(layer).values())
    if not parameters:
        raise ConfigError("no parameter of the model can be trained; freeze fewer layers")
    given: Any = parameters
    if not settings.decay_norms:
        groups = [[p for p in parameters if (p.ndim > 1) == decays] for decays in (True, False)]
        decay = (settings.weight_decay, 0.0)
        given = [{"params": group, "weight_decay": rate} for group, rate in zip(groups, decay, strict=True) if group]
    said = {
        "learning_rate": schedule,
        "parameters": given,
        "weight_decay": settings.weight_decay,
        "grad_clip": None if settings.clip_norm is None else paddle.nn.ClipGradByGlobalNorm(settings.clip_norm),
    }
    if settings.optimizer == "momentum":
        return paddle.optimizer.Momentum(momentum=settings.momentum, **said)
    return (paddle.optimizer.Adam if settings.optimizer == "adam" else paddle.optimizer.AdamW)(**said)


def optimizer_state(optimizer: Any, layer: nn.Layer) -> dict[str, Array]:
    """Copies of the accumulators that exist: `<structured parameter name>/<accumulator>` -> array."""
    return {name: to_array(tensor) for name, tensor in _accumulators(optimizer, layer)}


def restore_optimizer(optimizer: Any, layer: nn.Layer, state: Mapping[str, Array]) -> None:
    """Put back what `optimizer_state` took; accumulators that weren't there yet start at 0.

    Raises:
        CheckpointError: the state belongs to another model.
    """
    create_accumulators(optimizer, list(trainable(layer).values()))
    there = dict(_accumulators(optimizer, layer))
    for name, array in state.items():
        if name not in there or tuple(there[name].shape) != array.shape:
            raise CheckpointError(f"the optimizer state {name!r} doesn't fit the model: resume the model it belongs to")
        set_tensor(there[name], array)


def trainable(layer: nn.Layer) -> dict[str, Any]:
    """The parameters that training moves, by structured name."""
    return {name: tensor for name, tensor in layer.named_parameters() if not tensor.stop_gradient}


def _accumulators(optimizer: Any, layer: nn.Layer) -> Iterator[tuple[str, Any]]:
    for kind, tensors in accumulators(optimizer).items():
        for name, parameter in trainable(layer).items():
            if parameter.name in tensors:
                yield f"{name}/{kind}", tensors[parameter.name]
