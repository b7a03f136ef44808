"""Unify: several inputs, position by position; what meets stands or falls together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from paddleprune.graph.atoms import Atoms, Track, Tracks
from paddleprune.graph.rules.common import embody_others, present, shape_of
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker


def added(walker: Walker, op: Op) -> None:
    """Sum, difference, larger, smaller: zero where both sides are."""
    meet(walker, op, op.inputs[:2], lambda zeros: all(zeros))


def multiplied(walker: Walker, op: Op) -> None:
    """Product: zero where one side is."""
    meet(walker, op, op.inputs[:2], lambda zeros: any(zeros))


def divided(walker: Walker, op: Op) -> None:
    """Quotient, remainder, power: zero where the left side is, as long as the right side isn't."""
    meet(walker, op, op.inputs[:2], lambda zeros: zeros[0] and not zeros[1])


def compared(walker: Walker, op: Op) -> None:
    """True or false at each position."""
    meet(walker, op, [value for value in op.inputs if value is not None], lambda zeros: False)


def chosen(walker: Walker, op: Op) -> None:
    """`where`: a condition chooses between two values; zero where both are."""
    meet(walker, op, op.inputs[:3], lambda zeros: all(zeros[1:]))


def filled(walker: Walker, op: Op) -> None:
    """Where a mask says so, a number: zero where the value is, if the number is zero."""
    number = walker.constant(op.inputs[2])
    nothing = number is not None and not np.any(number)
    meet(walker, op, op.inputs[:2], lambda zeros: zeros[0] and nothing)


def blended(walker: Walker, op: Op) -> None:
    """A weighted mean of two values: zero where both are."""
    meet(walker, op, op.inputs[:3], lambda zeros: all(zeros[:2]))


def expanded_as(walker: Walker, op: Op) -> None:
    """As wide as another value, whose channels it meets; zero where the value itself is."""
    meet(walker, op, op.inputs[:2], lambda zeros: zeros[0])


def add_all(walker: Walker, op: Op) -> None:
    """The sum of a list."""
    meet(walker, op, walker.lists[present(op.inputs[0]).id], lambda zeros: all(zeros))


def meet(
    walker: Walker,
    op: Op,
    values: Sequence[Value | None],
    zero: Callable[[Sequence[bool]], bool],
    out: Value | None = None,
) -> None:
    """Broadcast the sides and tie them.

    Args:
        walker: the walker.
        op: the operation.
        values: its sides.
        zero: for one track: which sides are zero where it is silenced -> is the output?
        out: what becomes of them, if that isn't what the operation gives.
    """
    out, sides = out or present(op.outputs[0]), [present(value) for value in values]
    rank = len(shape_of(out))
    activations = [side for side in sides if not walker.is_parameter(side)] or sides[:1]
    embody_others(walker, activations)
    learned = [side for side in sides if side not in activations]
    aligned = {side.id: _aligned(walker.get(side), rank) for side in activations}
    merged = _merge(walker, op, [track for side in activations for track in aligned[side.id]])
    for side in learned:
        merged = _parameter_follows(walker, op, side, merged, rank)
    found = []
    for atoms in merged:
        axes = Track(atoms).axes
        zeros = [
            _parameter_zero(walker, side, axes, rank)
            if side in learned
            else any(track.zero and track.axes & axes for track in aligned[side.id])
            for side in sides
        ]
        for side in activations:
            _check_width(walker, op, side, aligned[side.id], atoms, rank)
        found.append(Track(atoms, zero(zeros)))
    loose = [i for i in range(rank) if all(_is_loose(walker, side, i - rank) for side in sides)]
    walker.put(out, found, loose)


def _merge(walker: Walker, op: Op, tracks: list[Track]) -> list[Atoms]:
    """Tie tracks that vary along the same axes; a grid and a vector along one of its axes are tied too."""
    merged: list[Atoms] = []
    for track in tracks:
        near = [atoms for atoms in merged if Track(atoms).axes & track.axes]
        merged = [atoms for atoms in merged if not Track(atoms).axes & track.axes]
        for atoms in near:
            walker.table.unite(atoms, track.atoms, f"{op.name} at {op.where} meets channels that can't be removed")
        merged.append(reduce(_wider, near, track.atoms))
    return merged


def _wider(a: Atoms, b: Atoms) -> Atoms:
    """Two arrays that are tied: one that varies wherever one of them does."""
    return np.asarray(np.maximum(*np.broadcast_arrays(a, b)))


def _check_width(walker: Walker, op: Op, side: Value, mine: Tracks, atoms: Atoms, rank: int) -> None:
    """Protect channels that a side has no units for although it is as wide as they are.

    A side of size 1 spreads over them, and one that is the same everywhere adapts.
    """
    for axis in Track(atoms).axes:
        own = axis - rank + len(shape_of(side))
        if own < 0 or shape_of(side)[own] == 1 or _is_loose(walker, side, axis - rank):
            continue
        if not any(axis in track.axes for track in mine):
            walker.table.fix(atoms, f"{op.name} at {op.where} meets channels that can't be removed")


def _is_loose(walker: Walker, side: Value, axis: int) -> bool:
    """Is a side the same along an axis, counted from the right? Where it doesn't reach, it is."""
    own = axis + len(shape_of(side))
    return own < 0 or own in walker.loose_axes(side)


def _parameter_follows(walker: Walker, op: Op, side: Value, merged: list[Atoms], rank: int) -> list[Atoms]:
    """A bias or a learned scale follows the channels that it meets, along each of its axes; its other axes stay."""
    shape = shape_of(side)
    long = [i for i, n in enumerate(shape) if n > 1]
    found, stays = [], set(long)
    for atoms in merged:
        axes = sorted(Track(atoms).axes)
        met = [axis for axis in axes if axis - rank + len(shape) in long]
        if met and len(axes) > 1:
            grid = atoms.reshape([atoms.shape[i] for i in axes])
            keep = _kept_axis(walker, axes, met)
            vector = walker.regular(grid, axes.index(keep))
            atoms = vector.reshape([len(vector) if i == keep else 1 for i in range(rank)])
            met = [axis for axis in met if axis == keep]
        for axis in met:
            walker.note(side, axis - rank + len(shape), "follow", atoms.ravel())
            stays.discard(axis - rank + len(shape))
        found.append(atoms)
    for own in sorted(stays):  # another use of it must not cut it
        walker.note(side, own, "follow", np.zeros(shape[own], np.int64))
    return found


def _kept_axis(walker: Walker, axes: list[int], met: list[int]) -> int:
    """Of heads and offsets in them, along which to cut where a parameter spans some of both."""
    others = [axis for axis in axes if axis not in met]
    if walker.attention == "heads" and others:
        return others[0]
    return met[-1]


def _parameter_zero(walker: Walker, side: Value, axes: frozenset[int], rank: int) -> bool:
    """Is a parameter silenced together with channels along these axes? It is, if it follows them."""
    shape = shape_of(side)
    return all(axis - rank + len(shape) >= 0 and shape[axis - rank + len(shape)] > 1 for axis in axes)


def _aligned(tracks: Tracks, rank: int) -> Tracks:
    """With leading axes of size 1, as broadcasting adds them."""
    return tuple(Track(t.atoms.reshape([1] * (rank - t.atoms.ndim) + list(t.atoms.shape)), t.zero) for t in tracks)
