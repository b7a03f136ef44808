"""Attributes of layers that count what a cut removes: `num_heads`, `head_dim`, the width of a norm without weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.graph.atoms import Atoms
from paddleprune.graph.channels import Width
from paddleprune.graph.trace import Trace
from paddleprune.graph.walker import Walker
from paddleprune.paddle_private.widths import NORM_GROUPS, NORM_SHAPE, norm_groups, norm_shape

_NAMES = {
    "heads": ("num_heads", "n_heads", "heads", "nhead", "num_attention_heads", "n_head"),
    "dims": ("head_dim", "dim_head", "head_size", "attention_head_size", "d_head"),
}


def find_widths(layer: nn.Layer, walker: Walker, traces: Sequence[Trace]) -> list[Width]:
    """Which attributes of which layers say how many units there are.

    Args:
        layer: the network.
        walker: after its walk.
        traces: what was walked. Norms without weights are found by what their calls give.
    """
    sublayers = dict(layer.named_sublayers(include_self=True))
    return [*_heads(sublayers, walker), *_norms(sublayers, walker, traces)]


def _norms(sublayers: Mapping[str, Any], walker: Walker, traces: Sequence[Trace]) -> Iterator[Width]:
    """The shape of a layer norm (its first axis), the groups of a group norm that has one for each channel."""
    for name, norm in sublayers.items():
        values = [value for part in traces for value in part.calls.get(name, ()) if value is not None]
        if not values or not isinstance(norm, (nn.LayerNorm, nn.GroupNorm)) or norm.weight is not None:
            continue
        if isinstance(norm, nn.LayerNorm):
            shape = norm_shape(norm)
            attribute, axis, size = NORM_SHAPE, -len(shape), shape[0]
        else:
            groups, size = norm_groups(norm)
            if groups != size:
                continue
            attribute, axis = NORM_GROUPS, 1
        along = [_vector(walker, value, axis, size) for value in values]
        for units in along:
            walker.table.unite(along[0], units, f"{name} normalizes another value too, which can't be cut")
        if along[0].any():
            yield Width(name, attribute, along[0])


def _vector(walker: Walker, value: str, axis: int, size: int) -> Atoms:
    """The atoms along one axis of a value; zeros if they don't lie along that one alone."""
    tracks = [track.atoms for track in walker.tracks.get(value, ())]
    found = [atoms for atoms in tracks if atoms.size == atoms.shape[axis] == size]
    return found[0].ravel() if found else np.zeros(size, np.int64)


def _heads(sublayers: Mapping[str, Any], walker: Walker) -> list[Width]:
    """Which attributes of which layers say how many heads there are, or how wide they are.

    They are those of the layers that hold the producers of queries, keys and values, if they have the right number.
    What one attribute counts is tied together.
    """
    makers = _makers(walker)
    found: dict[tuple[str, str], Width] = {}
    for lost, grid in walker.heads:
        units = grid[:, 0]
        owners = {name for atom in walker.table.find(units).tolist() for name in makers.get(atom, ())}
        for holder in {above for name in owners for above in _above(name)}:
            for attribute in _NAMES[lost]:
                if vars(sublayers[holder]).get(attribute) == len(units):
                    width = found.setdefault((holder, attribute), Width(holder, attribute, units))
                    walker.table.unite(width.units, units, f"{holder}.{attribute} counts them too")
    return list(found.values())


def _makers(walker: Walker) -> dict[int, set[str]]:
    """Atom -> the parameters that own it."""
    found: dict[int, set[str]] = {}
    for (name, _), said in walker.axes.items():
        if "own" in said.roles:
            for atom in np.unique(walker.table.find(said.atoms)).tolist():
                found.setdefault(atom, set()).add(name)
    return found


def _above(parameter: str) -> list[str]:
    """The layer that holds a parameter, and the one that holds that."""
    parts = parameter.split(".")[:-1]
    return [".".join(parts), ".".join(parts[:-1])]
