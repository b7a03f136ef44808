"""A layer's parameters and buffers by structured name, and changing their contents or shape in place."""

from __future__ import annotations

import numpy as np
import paddle
from paddle import Tensor, nn

from paddleprune.interfaces import Array
from paddleprune.paddle_private.layers import unsaved_buffers, wrapped
from paddleprune.paddle_private.tensors import storage


def unwrapped(layer: nn.Layer) -> nn.Layer:
    """The layer itself, of one that `paddle.DataParallel` wraps: names and widths are its own."""
    while isinstance(layer, paddle.DataParallel):
        layer = wrapped(layer)
    return layer


def named_tensors(layer: nn.Layer) -> dict[str, Tensor]:
    """Every parameter and buffer once, by its structured name (`features.3.conv.0.weight`)."""
    return dict(layer.named_parameters()) | dict(layer.named_buffers())


def not_finite(layer: nn.Layer) -> str | None:
    """Which parameter or buffer holds something else than numbers, in words; None if none does.

    Infinity in a buffer is left alone: attention masks are made of it.
    """
    parameters = {name for name, _ in layer.named_parameters()}
    for name, tensor in named_tensors(layer).items():
        if not tensor.is_floating_point():
            continue
        array = tensor.astype("float32").numpy()
        wrong = ~np.isfinite(array) if name in parameters else np.isnan(array)
        if wrong.any():
            return f"{name} holds {int(wrong.sum()):,} NaN or infinite values among its {array.size:,}"
    return None


def saved_tensors(layer: nn.Layer) -> dict[str, Tensor]:
    """Those that `state_dict()` has: not the buffers that aren't persistable."""
    left_out = {
        f"{name}.{buffer}".removeprefix(".")
        for name, sub in layer.named_sublayers(include_self=True)
        for buffer in unsaved_buffers(sub)
    }
    return {name: tensor for name, tensor in named_tensors(layer).items() if name not in left_out}


def viewed(tensor: Tensor) -> Array:
    """A tensor's numbers, not to be written to: without a copy where they lie in the CPU's memory.

    They change with the tensor.
    """
    try:
        return np.from_dlpack(tensor.detach())
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):  # elsewhere, or a type that NumPy lacks
        return np.asarray(tensor.numpy())


def overwrite(tensor: Tensor, array: Array) -> None:
    """Give a parameter or buffer new contents of any shape, in place: references to it stay valid.

    (`Tensor.set_value` refuses another shape.)
    """
    place = paddle.CUDAPlace(tensor.place.gpu_device_id()) if tensor.place.is_gpu_place() else paddle.CPUPlace()
    storage(tensor).set(np.ascontiguousarray(array), place)


def parameter_names(layer: nn.Layer) -> frozenset[str]:
    """The names of what counts as parameters: frozen ones too, but not the running statistics of batch norms,
    which Paddle lists among them.
    """
    return frozenset(
        name for name, _ in layer.named_parameters() if name.rpartition(".")[2] not in ("_mean", "_variance")
    )
