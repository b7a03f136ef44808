"""Really removing units: smaller parameters, and layers that know their new widths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.errors import PlanError
from paddleprune.graph import ChannelGraph
from paddleprune.graph.telling import is_size, tell, tell_only, told
from paddleprune.graph.tensors import named_tensors, overwrite
from paddleprune.interfaces import Array
from paddleprune.paddle_private.widths import (
    GROUPS,
    NORM_GROUPS,
    NORM_SHAPE,
    WIDTHS,
    groups,
    is_convolution,
    refit,
    set_groups,
    set_norm_width,
)
from paddleprune.pruning.attributes import Attributes, check_attributes
from paddleprune.pruning.emptied import Contents, axes_of, check_emptied, contents_of, empty


@dataclass(frozen=True)
class Undo:
    """Everything that a shrink changed, as it was."""

    _tensors: Mapping[str, Array]
    _widths: Mapping[str, Mapping[str, Any]]
    _told: Mapping[str, Mapping[str, int]]
    _contents: Sequence[Contents] = ()

    def after(self, earlier: Undo) -> Undo:
        """Undo this and an earlier shrink at once."""
        widths = {name: {**own, **earlier._widths.get(name, {})} for name, own in self._widths.items()}
        contents = (*self._contents, *earlier._contents)
        return Undo({**self._tensors, **earlier._tensors}, widths, {**self._told, **earlier._told}, contents)

    def __call__(self, layer: nn.Layer) -> None:
        """Restore the layer bit for bit."""
        for contents in self._contents:
            contents.restore()
        tensors = named_tensors(layer)
        for name, array in self._tensors.items():
            overwrite(tensors[name], array)
        for name, layer_ in layer.named_sublayers(include_self=True):
            vars(layer_).update(self._widths.get(name, {}))
            if name in self._told:
                tell_only(layer_, self._told[name])


def shrink(layer: nn.Layer, graph: ChannelGraph, removed: Iterable[int]) -> Undo:
    """Remove units from a layer, in place.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        removed: units of the graph's groups.

    Returns:
        What restores the layer bit for bit.
    """
    removed = list(removed)
    tensors = named_tensors(layer)
    changed = _cut(graph, tensors, removed)
    axes = axes_of(graph.gone(removed))
    undo = _undo(layer, graph, changed, axes)
    counts, grouped = _counts(graph, removed), _grouped(layer, graph)
    changed.update(_keep_attention_scale(layer, changed, counts))
    try:
        for name, array in changed.items():
            overwrite(tensors[name], array)
            tensors[name].clear_gradient(set_to_zero=False)
        _refit(layer)
        _set_attributes(layer, grouped)
        _set_attributes(layer, counts)
        empty(layer, axes)
    except BaseException:
        undo(layer)
        raise
    return undo


def snapshot(layer: nn.Layer, graph: ChannelGraph) -> Undo:
    """What restores the layer bit for bit, whatever is cut from it meanwhile."""
    return _undo(layer, graph, graph.shapes, [name for branch in graph.branches for name in branch.layers])


def _undo(layer: nn.Layer, graph: ChannelGraph, changed: Iterable[str], emptied: Iterable[str]) -> Undo:
    """What restores these tensors, these sublayers and all widths."""
    tensors, sublayers = named_tensors(layer), dict(layer.named_sublayers(include_self=True))
    sizes = {width.layer: told(sublayers[width.layer]) for width in graph.widths if width.layer in sublayers}
    before = {name: tensors[name].numpy() for name in changed}
    return Undo(before, _widths(layer, graph), sizes, contents_of(layer, emptied))


def attributes_of(layer: nn.Layer, graph: ChannelGraph) -> dict[str, dict[str, int]]:
    """What a network's shapes don't tell: groups of convolutions and norms, what counts heads, what is told."""
    found: dict[str, dict[str, int]] = {}
    for name, sub in layer.named_sublayers(include_self=True):
        if told(sub):
            found[name] = {**told(sub)}
        for attribute in (GROUPS, NORM_GROUPS):
            if isinstance(vars(sub).get(attribute), (int, np.integer)):
                found.setdefault(name, {})[attribute] = int(vars(sub)[attribute])
    sublayers = dict(layer.named_sublayers(include_self=True))
    for width in graph.widths:
        if width.layer in sublayers and width.attribute in vars(sublayers[width.layer]):
            found.setdefault(width.layer, {})[width.attribute] = len(width.units)
    return found


def resize(
    layer: nn.Layer,
    shapes: Mapping[str, tuple[int, ...]],
    attributes: Attributes | None = None,
    buffers: Mapping[str, Array] | None = None,
    emptied: Mapping[str, int] | None = None,
) -> None:
    """Give parameters and buffers other shapes (their contents become zeros), as a pruned checkpoint needs.

    Args:
        layer: a freshly built dense network, changed in place.
        shapes: structured name -> shape.
        attributes: what the shapes don't tell, where it isn't what the dense network has.
        buffers: the contents of those that no weights file holds, where a cut may have changed them.
        emptied: sublayers that went as a whole -> how many axes their outputs have.

    Raises:
        PlanError: an attribute isn't a width of the network, or can't be what is left of it (nothing was changed), or
            the layer has no such buffer or sublayer.
    """
    check_attributes(layer, {name: tuple(shape) for name, shape in shapes.items()}, attributes or {})
    check_emptied(layer, emptied or {})
    empty(layer, emptied or {})
    tensors = named_tensors(layer)
    for name, shape in shapes.items():
        if name in tensors and tuple(tensors[name].shape) != tuple(shape):
            overwrite(tensors[name], np.zeros(shape, tensors[name].numpy().dtype))
    for name, array in (buffers or {}).items():
        if name not in tensors or str(tensors[name].dtype).removeprefix("paddle.") != array.dtype.name:
            raise PlanError(f"the plan holds a buffer {name!r} of type {array.dtype.name}, which the layer lacks")
        overwrite(tensors[name], array)
    _refit(layer)
    _set_attributes(layer, attributes or {})


def _cut(graph: ChannelGraph, tensors: Mapping[str, Any], removed: list[int]) -> dict[str, Array]:
    """The new contents of every parameter and buffer that changes."""
    gone, lost = np.fromiter(removed, np.int64), graph.lost(removed)
    changed: dict[str, Array] = {}
    for axis in graph.axes:
        if axis.parameter not in lost and axis.source is not None and np.isin(axis.source, gone).any():
            numbers = np.cumsum(~np.isin(axis.source, gone)) - 1  # channels that stay are counted anew
            old = tensors[axis.parameter].numpy()
            changed[axis.parameter] = numbers[old].astype(old.dtype)
    for name, axes in graph.keeps(removed).items():
        array = changed.get(name, tensors[name].numpy())
        for number, indices in axes.items():
            array = array.take(indices, number)
        changed[name] = array
    return changed


def _counts(graph: ChannelGraph, removed: list[int]) -> dict[str, dict[str, int]]:
    """What the attributes that count units become, and all sizes in forwards, which other cuts may change."""
    gone = np.fromiter(removed, np.int64)
    found: dict[str, dict[str, int]] = {}
    for width in graph.widths:
        if (removed and is_size(width.attribute)) or np.isin(width.units, gone).any():
            found.setdefault(width.layer, {})[width.attribute] = int((~np.isin(width.units, gone)).sum())
    return found


def _grouped(layer: nn.Layer, graph: ChannelGraph) -> dict[str, dict[str, int]]:
    """Convolutions that keep their number of groups: the graph knows, when one is left with a channel in each."""
    own = {axis.parameter for axis in graph.axes if axis.axis == 0 and axis.role != "follow"}
    return {
        name: {GROUPS: groups(sub)}
        for name, sub in layer.named_sublayers(include_self=True)
        if is_convolution(sub) and f"{name}.weight".removeprefix(".") in own
    }


def _keep_attention_scale(layer: nn.Layer, changed: Mapping[str, Array], counts: Attributes) -> dict[str, Array]:
    """Queries of Paddle's attention, which divides by the square root of the heads' width: as if it were still wide."""
    found: dict[str, Array] = {}
    for name, sub in layer.named_sublayers(include_self=True):
        if isinstance(sub, nn.MultiHeadAttention) and "head_dim" in counts.get(name, {}):
            factor = (counts[name]["head_dim"] / sub.head_dim) ** 0.5
            for part in ("weight", "bias"):
                key = f"{name}.q_proj.{part}".removeprefix(".")
                if key in changed:
                    found[key] = (changed[key] * factor).astype(changed[key].dtype)
    return found


def _set_attributes(layer: nn.Layer, attributes: Attributes) -> None:
    for name, sub in layer.named_sublayers(include_self=True):
        for attribute, value in attributes.get(name, {}).items():
            if is_size(attribute):
                tell(sub, attribute, value)
                continue
            if attribute not in vars(sub):  # it is empty by now
                continue
            if attribute == GROUPS:
                set_groups(sub, value)
            elif attribute == NORM_SHAPE:
                set_norm_width(sub, value)
            else:
                setattr(sub, attribute, value)


def _widths(layer: nn.Layer, graph: ChannelGraph) -> dict[str, dict[str, Any]]:
    counted: dict[str, list[str]] = {}
    for width in graph.widths:
        counted.setdefault(width.layer, []).append(width.attribute)
    return {
        name: {key: vars(sub)[key] for key in (*WIDTHS, *counted.get(name, ())) if key in vars(sub)}
        for name, sub in layer.named_sublayers(include_self=True)
    }


def _refit(layer: nn.Layer) -> None:
    """Make every layer's own idea of its widths agree with its parameters."""
    for sub in layer.sublayers(include_self=True):
        refit(sub)
