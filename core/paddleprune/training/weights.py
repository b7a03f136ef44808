"""Weights between a layer and NumPy, by structured names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.interfaces import Array


def to_array(tensor: Any) -> Array:
    """A copy of a tensor, C-contiguous; bfloat16, which NumPy lacks, becomes float32 without loss."""
    if tensor.dtype == paddle.bfloat16:
        tensor = tensor.astype("float32")
    return np.array(tensor.numpy(), order="C")


def set_tensor(tensor: Any, array: Array) -> None:
    """Overwrite a tensor in place, in its own type."""
    value = paddle.to_tensor(array)
    tensor.set_value(value if value.dtype == tensor.dtype else value.astype(tensor.dtype))


def weights_of(layer: nn.Layer) -> dict[str, Array]:
    """Copies of all parameters and persistent buffers, by their names in `state_dict()`."""
    return {name: to_array(tensor) for name, tensor in layer.state_dict().items()}


def set_weights(layer: nn.Layer, weights: Mapping[str, Array]) -> None:
    """Overwrite the named parameters and buffers; every name must exist and have the same shape."""
    tensors = layer.state_dict()
    for name, array in weights.items():
        set_tensor(tensors[name], array)


def misfits(layer: nn.Layer, weights: Mapping[str, Array]) -> list[str]:
    """The layer's names that `weights` lacks or has in another shape."""
    return [
        name
        for name, tensor in layer.state_dict().items()
        if name not in weights or tuple(tensor.shape) != weights[name].shape
    ]
