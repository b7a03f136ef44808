"""Paddle's layers that hold their widths as numbers: in which attributes, and which parameter tells them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paddle import nn
from paddle.vision.ops import DeformConv2D

GROUPS = "_groups"
"""Groups of a convolution."""
NORM_GROUPS = "_num_groups"
"""Groups of a group norm."""
NORM_SHAPE = "_normalized_shape"
"""What a layer norm normalizes: the sizes of the last axes."""
TRANSPOSED = (nn.Conv1DTranspose, nn.Conv2DTranspose, nn.Conv3DTranspose)
CONVOLUTIONS = (nn.Conv1D, nn.Conv2D, nn.Conv3D, *TRANSPOSED)
_CELLS = (nn.SimpleRNNCell, nn.LSTMCell, nn.GRUCell)
RECURRENT = (nn.SimpleRNN, nn.LSTM, nn.GRU)
BATCH_NORMS = (nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D, nn.SyncBatchNorm)


@dataclass(frozen=True)
class Kind:
    """A kind of layer that says how wide it is.

    Attributes:
        types: its classes.
        weight: the parameter that tells the width; a layer without it is left alone.
        widths: the attributes that say the width. A layer of somebody else's that has all of them is written like one
            of these, and taken for one.
        fit: makes the attributes agree with a weight of some shape.
        besides: further attributes that depend on the width.
    """

    types: tuple[type, ...]
    weight: str
    widths: tuple[str, ...]
    fit: Callable[[nn.Layer, tuple[int, ...]], None]
    besides: tuple[str, ...] = ()


def kind_of(layer: nn.Layer) -> Kind | None:
    """Which kind a layer is of; None if its parameters alone say how wide it is."""
    for kind in KINDS:
        alike = isinstance(layer, kind.types) or all(hasattr(layer, name) for name in kind.widths)
        if alike and getattr(layer, kind.weight, None) is not None:
            return kind
    return None


def refit(layer: nn.Layer) -> None:
    """Make a layer's own idea of its widths agree with its parameters."""
    kind = kind_of(layer)
    if kind is not None:
        kind.fit(layer, tuple(getattr(layer, kind.weight).shape))


def is_convolution(layer: nn.Layer) -> bool:
    """Is it a convolution, of any number of axes, transposed or deformable ones too?"""
    return kind_of(layer) is _CONVOLUTION


def groups(layer: nn.Layer) -> int:
    """How many groups a convolution has."""
    return int(layer._groups)


def set_groups(layer: nn.Layer, count: int) -> None:
    """Give a convolution so many groups; its channels are then what its weight says."""
    rows, columns = layer.weight.shape[:2]
    layer._groups = count
    layer._in_channels, layer._out_channels = (
        (rows, columns * count) if isinstance(layer, TRANSPOSED) else (columns * count, rows)
    )
    if getattr(layer, "_op_type", "").endswith("conv2d"):
        depthwise = layer._in_channels == count and count > 1
        layer._op_type = "depthwise_conv2d" if depthwise else "conv2d"


def norm_groups(norm: nn.Layer) -> tuple[int, int]:
    """The groups and the channels of a group norm."""
    return norm._num_groups, norm._num_channels


def norm_shape(norm: nn.Layer) -> list[int]:
    """The sizes of the axes that a layer norm normalizes."""
    return list(norm._normalized_shape)


def set_norm_width(norm: nn.Layer, size: int) -> None:
    """Give the first axis that a layer norm normalizes another size."""
    norm._normalized_shape = [size, *norm._normalized_shape[1:]]


def _fit_convolution(layer: nn.Layer, shape: tuple[int, ...]) -> None:
    if layer._groups > 1 and layer._groups == layer._in_channels:  # depthwise: as many groups as channels
        multiplier = max(layer._out_channels // layer._in_channels, 1)
        set_groups(layer, shape[0] if isinstance(layer, TRANSPOSED) else shape[0] // multiplier)
    else:
        set_groups(layer, layer._groups)


def _fit_group_norm(norm: nn.Layer, shape: tuple[int, ...]) -> None:
    if norm._num_groups == norm._num_channels:  # a group a channel
        norm._num_groups = shape[0]
    norm._num_channels = shape[0]


def _fit_layer_norm(norm: nn.Layer, shape: tuple[int, ...]) -> None:
    """Its first axis holds the channels; its weight is flat."""
    set_norm_width(norm, shape[0] // math.prod(norm._normalized_shape[1:]))


def _size_of(axis: int, attribute: str) -> Callable[[nn.Layer, Any], None]:
    """The width is the size of an axis of the weight."""
    return lambda layer, shape: setattr(layer, attribute, shape[axis])


def _gates(layer: nn.Layer) -> int:
    """How many rows a recurrent layer or cell has for each number of its states."""
    if isinstance(layer, (nn.LSTM, nn.LSTMCell)):
        return 4
    return 3 if isinstance(layer, (nn.GRU, nn.GRUCell)) else 1


def _fit_recurrent(layer: nn.Layer, shape: tuple[int, ...]) -> None:
    """[gates * hidden, input], of the first layer."""
    layer.input_size = shape[1]
    if isinstance(layer, (*_CELLS, *RECURRENT)):  # how many gates somebody else's has, nobody knows
        layer.hidden_size = shape[0] // _gates(layer)


_CONVOLUTION = Kind(
    types=(*CONVOLUTIONS, DeformConv2D),
    weight="weight",
    widths=(GROUPS, "_in_channels"),
    fit=_fit_convolution,
    besides=("_out_channels", "_op_type"),
)
KINDS = (
    _CONVOLUTION,
    Kind((nn.GroupNorm,), "weight", (NORM_GROUPS, "_num_channels"), _fit_group_norm),
    Kind((nn.LayerNorm,), "weight", (NORM_SHAPE,), _fit_layer_norm),
    Kind((nn.Embedding,), "weight", ("_embedding_dim",), _size_of(1, "_embedding_dim")),
    Kind(BATCH_NORMS, "weight", ("_num_features",), _size_of(0, "_num_features")),
    Kind((nn.PReLU,), "_weight", ("_num_parameters",), _size_of(0, "_num_parameters")),
    Kind(_CELLS, "weight_ih", ("input_size",), _fit_recurrent, ("hidden_size",)),
    Kind(RECURRENT, "weight_ih_l0", ("input_size",), _fit_recurrent, ("hidden_size",)),
)
"""All kinds; the first that fits counts."""
WIDTHS = tuple(dict.fromkeys(name for kind in KINDS for name in (*kind.widths, *kind.besides)))
"""All attributes that say how wide a layer of Paddle's is."""
