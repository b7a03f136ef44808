"""Reductions: over space channels stay; over channels a sum of silenced ones is exact, and little else is."""

from __future__ import annotations

import numpy as np

from paddleprune.graph.atoms import Track
from paddleprune.graph.rules.common import attribute, present, shape_of, silenced, unknown
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker


def total(walker: Walker, op: Op) -> None:
    """Sums and norms: a channel of zeros adds nothing, so that a masked channel is a missing one."""
    _reduce(walker, op, exact=True, zero=True)


def average(walker: Walker, op: Op) -> None:
    """Means, largest and smallest values, products: over channels, a zero counts."""
    _reduce(walker, op, exact=False, zero=True)


def smooth(walker: Walker, op: Op) -> None:
    """log(sum(exp)) and the like: over channels a zero counts, and of zeros it isn't zero."""
    _reduce(walker, op, exact=False, zero=False)


def _reduce(walker: Walker, op: Op, exact: bool, zero: bool) -> None:
    x, y = present(op.inputs[0]), present(op.outputs[0])
    axes = _axes(walker, op, x)
    if axes is None:
        return unknown(walker, op)
    tracks = []
    for track in walker.get(x):
        over = track.axes & axes
        if not over:
            tracks.append(track)
        elif len(track.axes) > 1:
            walker.table.fix(track.atoms, f"{op.name} at {op.where} goes over channels that lie along several axes")
        elif exact:
            walker.read_plain(op, 0, next(iter(over)), Track(track.atoms.ravel(), track.zero))
        else:
            walker.table.blur(track.atoms, f"{op.name} over the channel axis at {op.where}")
    kept = silenced(tracks, zero)
    if len(shape_of(y)) != len(shape_of(x)):
        kept = [Track(t.atoms.squeeze(tuple(axes)), t.zero) for t in kept]
    loose = walker.loose_axes(x) - axes if len(shape_of(y)) == len(shape_of(x)) else ()
    walker.put(y, kept, loose)
    return None


def _axes(walker: Walker, op: Op, x: Value) -> set[int] | None:
    """The axes that are reduced; None if they depend on data."""
    rank = len(shape_of(x))
    said = attribute(op, "axis", None)
    if said is None:
        said = walker.constant(op.inputs[1]) if len(op.inputs) > 1 else []
    if said is None:
        return None
    if attribute(op, "reduce_all", False) or attribute(op, "asvector", False):
        said = []
    return {int(i) % rank for i in np.ravel(np.asarray(said, np.int64))} or set(range(rank))


def softmax(walker: Walker, op: Op) -> None:
    """Along space: channels stay. Along channels: each one's share depends on the others."""
    x = present(op.inputs[0])
    axis = int(attribute(op, "axis", -1)) % max(len(shape_of(x)), 1)
    for track in walker.get(x):
        if axis in track.axes:
            walker.table.blur(track.atoms, f"{op.name} over the channel axis at {op.where}")
    walker.put(op.outputs[0], silenced(walker.get(x), False))


def ordered(walker: Walker, op: Op) -> None:
    """Largest, sorted or accumulated along an axis: over channels their order counts."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    rank = len(shape_of(x))
    said = attribute(op, "axis", None)
    if said is None and len(op.inputs) > 1:
        said = walker.constant(op.inputs[1])
    whole = attribute(op, "flatten", False) or said is None
    axis = None if whole else int(np.ravel(said)[0]) % rank
    kept = []
    for track in walker.get(x):
        if axis is None or axis in track.axes:
            walker.table.fix(track.atoms, f"{op.name} over the channel axis at {op.where}")
        else:
            kept.append(Track(track.atoms if len(shape_of(y)) == rank else track.atoms.squeeze(axis), False))
    for value in op.outputs:
        walker.put(value, kept)


def selected(walker: Walker, op: Op) -> None:
    """Boxes or positions that are chosen by their numbers: what decides it stays."""
    for value in op.inputs:
        if value is not None:
            walker.fix(value, f"{op.name} at {op.where} chooses by it")
