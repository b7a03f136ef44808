"""Really removing units: smaller parameters, and layers that know their new widths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.graph import ChannelGraph
from paddleprune.graph.tensors import named_tensors, overwrite
from paddleprune.interfaces import Array

_WIDTHS = ("_in_channels", "_out_channels", "_groups", "_op_type", "_num_features", "_num_parameters")
"""The attributes of Paddle's layers that say how wide they are."""


@dataclass(frozen=True)
class Undo:
    """Everything that a shrink changed, as it was."""

    _tensors: Mapping[str, Array]
    _widths: Mapping[str, Mapping[str, Any]]

    def __call__(self, layer: nn.Layer) -> None:
        """Restore the layer bit for bit."""
        tensors = named_tensors(layer)
        for name, array in self._tensors.items():
            overwrite(tensors[name], array)
        for name, layer_ in layer.named_sublayers(include_self=True):
            vars(layer_).update(self._widths.get(name, {}))


def shrink(layer: nn.Layer, graph: ChannelGraph, removed: Iterable[int]) -> Undo:
    """Remove units from a layer, in place.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        removed: units of the graph's groups.

    Returns:
        What restores the layer bit for bit.
    """
    tensors = named_tensors(layer)
    kept = graph.keeps(removed)
    before = {name: tensors[name].numpy() for name in kept}
    undo = Undo(before, _widths(layer))
    for name, axes in kept.items():
        array = before[name]
        for axis, indices in axes.items():
            array = array.take(indices, axis)
        overwrite(tensors[name], array)
        tensors[name].clear_gradient(set_to_zero=False)
    _refit(layer)
    return undo


def resize(
    layer: nn.Layer, shapes: Mapping[str, tuple[int, ...]], convolution_groups: Mapping[str, int] | None = None
) -> None:
    """Give parameters and buffers other shapes (their contents become zeros), as a pruned checkpoint needs.

    Args:
        layer: a freshly built dense network, changed in place.
        shapes: structured name -> shape.
        convolution_groups: layer name -> number of groups, where it isn't what the dense network has.
    """
    tensors = named_tensors(layer)
    for name, shape in shapes.items():
        if name in tensors and tuple(tensors[name].shape) != tuple(shape):
            overwrite(tensors[name], np.zeros(shape, tensors[name].numpy().dtype))
    _refit(layer)
    for name, sub in layer.named_sublayers(include_self=True):
        if convolution_groups and name in convolution_groups:
            _set_groups(sub, convolution_groups[name])


def convolution_groups(layer: nn.Layer) -> dict[str, int]:
    """Layer name -> number of groups, of every convolution."""
    return {name: sub._groups for name, sub in layer.named_sublayers(include_self=True) if _is_convolution(sub)}


def _widths(layer: nn.Layer) -> dict[str, dict[str, Any]]:
    return {
        name: {key: vars(sub)[key] for key in _WIDTHS if key in vars(sub)}
        for name, sub in layer.named_sublayers(include_self=True)
    }


def _is_convolution(layer: nn.Layer) -> bool:
    return hasattr(layer, "_groups") and hasattr(layer, "_in_channels") and getattr(layer, "weight", None) is not None


def _refit(layer: nn.Layer) -> None:
    """Make every layer's own idea of its widths agree with its parameters."""
    for sub in layer.sublayers(include_self=True):
        weight = getattr(sub, "weight", None)
        if weight is None:
            continue
        if _is_convolution(sub):
            rows = weight.shape[0]
            if sub._groups > 1 and sub._groups == sub._in_channels:  # depthwise: as many groups as channels
                multiplier = max(sub._out_channels // sub._in_channels, 1)
                _set_groups(sub, rows if _transposed(sub) else rows // multiplier)
            else:
                _set_groups(sub, sub._groups)
        elif hasattr(sub, "_num_features"):
            sub._num_features = weight.shape[0]
        elif hasattr(sub, "_num_parameters"):
            sub._num_parameters = weight.shape[0]


def _transposed(layer: nn.Layer) -> bool:
    return isinstance(layer, (nn.Conv1DTranspose, nn.Conv2DTranspose, nn.Conv3DTranspose))


def _set_groups(layer: nn.Layer, groups: int) -> None:
    rows, columns = layer.weight.shape[:2]
    layer._groups = groups
    layer._in_channels, layer._out_channels = (
        (rows, columns * groups) if _transposed(layer) else (columns * groups, rows)
    )
    if getattr(layer, "_op_type", "").endswith("conv2d"):
        depthwise = layer._in_channels == groups and groups > 1
        layer._op_type = "depthwise_conv2d" if depthwise else "conv2d"
