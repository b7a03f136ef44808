"""Layers as matrices: what a layer multiplies its weight by, row by row, and what comes out.

Every layer here is, position by position of its output, y = x W + b: x is a row of what the layer reads there, and
with groups there is one such product for each of them.
"""

from __future__ import annotations

import math

import numpy as np
from paddle import nn

from paddleprune.graph.tensors import overwrite
from paddleprune.interfaces import Array
from paddleprune.paddle_private.layers import geometry
from paddleprune.paddle_private.widths import CONVOLUTIONS, TRANSPOSED, groups
from paddleprune.repair.taps import patches

READABLE = (nn.Linear, *CONVOLUTIONS)
"""The layers that can be refitted."""


def output_axis(layer: nn.Layer) -> int:
    """Which axis of the weight the layer's outputs lie along, with one group."""
    return 1 if isinstance(layer, (nn.Linear, *TRANSPOSED)) else 0


def groups_of(layer: nn.Layer) -> int:
    """How many products of matrices the layer is."""
    return 1 if isinstance(layer, nn.Linear) else groups(layer)


def positions_of(layer: nn.Layer, output: Array) -> int:
    """How many rows an output has: the product of all axes but the channels'."""
    return int(output.size // output.shape[_channels(layer, output)])


def places_of(layer: nn.Layer, value: Array) -> tuple[int, ...]:
    """The sizes of all axes of an input but the channels': those that a cut must leave alone."""
    channels = _channels(layer, value)
    return tuple(size for axis, size in enumerate(value.shape) if axis != channels)


def inputs_at(layer: nn.Layer, value: Array, output: Array, rows: Array) -> Array:
    """What the layer reads at some rows of its output: [groups, rows, taps x inputs of a group].

    Args:
        layer: one of `READABLE`.
        value: its input.
        output: its output, or anything of the same shape.
        rows: [R], numbers of rows, counted over the batch and then the places.
    """
    if isinstance(layer, nn.Linear):
        return value.reshape(1, -1, value.shape[-1])[:, rows]
    where = np.unravel_index(rows, np.moveaxis(output, _channels(layer, output), -1).shape[:-1])
    found = patches(layer, np.moveaxis(value, _channels(layer, value), 1), where)
    count = groups_of(layer)
    split = found.reshape(len(rows), found.shape[1], count, -1)
    return np.ascontiguousarray(split.transpose(2, 0, 1, 3)).reshape(count, len(rows), -1)


def outputs_at(layer: nn.Layer, output: Array, rows: Array) -> Array:
    """The layer's output at some rows: [rows, channels]."""
    last = np.moveaxis(np.atleast_2d(output), _channels(layer, output) - output.ndim, -1)
    return np.asarray(last[np.unravel_index(rows, last.shape[:-1])])


def by_channel(layer: nn.Layer, output: Array) -> Array:
    """All rows of the layer's output: [rows, channels]."""
    channels = _channels(layer, output)
    return np.moveaxis(output, channels, -1).reshape(-1, output.shape[channels])


def taps_of(layer: nn.Layer) -> int:
    """How many places of its input the layer reads for one of its output."""
    return 1 if isinstance(layer, nn.Linear) else math.prod(layer.weight.shape[2:])


def matrices(layer: nn.Layer) -> Array:
    """The layer's weight: [groups, taps x inputs of a group, outputs of a group]."""
    weight = layer.weight.numpy()
    if isinstance(layer, nn.Linear):
        return np.asarray(weight[None])
    count = groups_of(layer)
    split = weight.reshape(count, -1, weight.shape[1], math.prod(weight.shape[2:]))
    if isinstance(layer, TRANSPOSED):
        return np.asarray(split.transpose(0, 3, 1, 2).reshape(count, -1, weight.shape[1]))
    return np.asarray(split.transpose(0, 3, 2, 1).reshape(count, -1, split.shape[1]))


def set_matrices(layer: nn.Layer, values: Array) -> None:
    """Give the layer another weight, shaped as `matrices` has it."""
    weight = layer.weight
    shape, taps = list(weight.shape), math.prod(weight.shape[2:])
    if isinstance(layer, nn.Linear):
        found = values[0]
    else:
        split = values.reshape(len(values), taps, -1, values.shape[2])
        order = (0, 2, 3, 1) if isinstance(layer, TRANSPOSED) else (0, 3, 2, 1)
        found = split.transpose(order).reshape(shape)
    overwrite(weight, found.astype(str(weight.dtype).removeprefix("paddle.")))


def _channels(layer: nn.Layer, value: Array) -> int:
    return value.ndim - 1 if isinstance(layer, nn.Linear) else geometry(layer).channels
