"""Cut: parts of an axis, picked by position or by number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddleprune.graph.atoms import Atoms, Track
from paddleprune.graph.rules.common import NotCovered, attribute, numbers, present, shape_of
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker

_TIED = "tied to a part of the same split that can't be removed"


def split(walker: Walker, op: Op) -> None:
    """Parts along an axis; equal parts lose the same channels, since the forward may compute their width."""
    x = present(op.inputs[0])
    axis = numbers(walker, op.inputs[-1])[0] % len(shape_of(x))
    size = shape_of(x)[axis]
    if op.name == "split":
        widths = numbers(walker, op.inputs[1])
        widths = [n if n >= 0 else size - sum(w for w in widths if w >= 0) for n in widths]
    else:
        widths = [size // int(op.attrs["num"])] * int(op.attrs["num"])
    _parts(walker, op, x, axis, widths, drop=False)


def unbind(walker: Walker, op: Op) -> None:
    """Every position of an axis for itself."""
    x = present(op.inputs[0])
    axis = int(attribute(op, "axis", 0)) % len(shape_of(x))
    _parts(walker, op, x, axis, [1] * shape_of(x)[axis], drop=True)


def _parts(walker: Walker, op: Op, x: Value, axis: int, widths: list[int], drop: bool) -> None:
    starts = np.cumsum([0, *widths])
    loose = frozenset(i - (drop and i > axis) for i in walker.loose_axes(x) if not (drop and i == axis))
    pieces: list[tuple[list[Track], frozenset[int]]] = [([], loose) for _ in widths]
    for track in walker.get(x):
        if axis in track.axes and len(set(widths)) == 1:
            _tie_parts(walker, track.atoms, axis, widths[0])
        for (tracks, _), start, width in zip(pieces, starts, widths, strict=False):
            atoms = track.atoms
            if axis in track.axes:
                atoms = atoms.take(range(start, start + width), axis)
            tracks.append(Track(atoms.squeeze(axis) if drop else atoms, track.zero))
    walker.pieces[present(op.outputs[0]).id] = [(tuple(tracks), axes) for tracks, axes in pieces]


def _tie_parts(walker: Walker, atoms: Atoms, axis: int, width: int) -> None:
    """Equal parts of an axis lose the same positions."""
    parts = np.moveaxis(atoms, axis, 0).reshape(-1, width, *np.delete(atoms.shape, axis))
    for part in parts[1:]:
        walker.table.unite(parts[0], part, _TIED)


def cut(walker: Walker, op: Op) -> None:
    """`x[a:b]`: halves, thirds, … lose the same channels as the rest; any other cut of channels protects them."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    if walker.constant(x) is not None:
        walker.constants[y.id] = _number_slice(walker, op, list(np.ravel(walker.constant(x))))
        return
    if not walker.get(x) and not walker.loose_axes(x):
        return
    steps = numbers(walker, op.inputs[3]) if len(op.inputs) > 3 else [1] * len(op.attrs["axes"])
    where = [*map(slice, numbers(walker, op.inputs[1]), numbers(walker, op.inputs[2]), steps)]
    cut_out(walker, op, x, y, where, attribute(op, "decrease_axis", []), walker.told.get(y.id))


def cut_out(
    walker: Walker, op: Op, x: Value, y: Value, where: Sequence[slice], drop: Sequence[int], told: str | None
) -> None:
    """Say what a part of a value carries; `told`, if the forward can be told its bounds."""
    axes, dropped = ([int(i) % len(shape_of(x)) for i in numbers] for numbers in (op.attrs["axes"], drop))
    tracks = []
    for track in walker.get(x):
        atoms = track.atoms
        for axis, part in zip(axes, where, strict=True):
            if axis in track.axes:
                atoms = _cut_axis(walker, op, atoms, axis, part, told)
        tracks.append(Track(atoms.squeeze(tuple(dropped)), track.zero))
    loose = [i - sum(d < i for d in dropped) for i in walker.loose_axes(x) if i not in dropped]
    walker.put(y, tracks, loose)


def _cut_axis(walker: Walker, op: Op, atoms: Atoms, axis: int, where: slice, told: str | None) -> Atoms:
    size = atoms.shape[axis]
    start, end, step = where.indices(size)
    width = end - start
    if (start, end, step) == (0, size, 1):
        return atoms
    if step == 1 and width > 0 and told is not None and not (2 * width == size and start % width == 0):
        walker.relied.add(told)
        return atoms.take(range(start, end), axis)
    if step == 1 and width > 0 and size % width == 0 and start % width == 0:
        _tie_parts(walker, atoms, axis, width)
        return atoms.take(range(start, end), axis)
    if (start, end, step) == (size - 1, -1, -1):
        return np.flip(atoms, axis)
    walker.table.fix(atoms, f"{op.name} at {op.where} cuts channels at fixed positions")
    return np.zeros([1] * atoms.ndim, np.int64)


def _number_slice(walker: Walker, op: Op, values: list[int]) -> list[int]:
    starts, ends = numbers(walker, op.inputs[1]), numbers(walker, op.inputs[2])
    return values[slice(starts[0], ends[0])]


def gather(walker: Walker, op: Op) -> None:
    """Channels by number. Numbers in a buffer go with the channels; numbers in the forward protect them."""
    x, index, y = present(op.inputs[0]), present(op.inputs[1]), present(op.outputs[0])
    axis = _gathered_axis(walker, op) % len(shape_of(x))
    flat = len([n for n in shape_of(index) if n > 1]) <= 1
    added = len(shape_of(y)) - len(shape_of(x))  # the index's own axes take the gathered one's place
    tracks = []
    for track in walker.get(x):
        if axis not in track.axes:
            moved = track.atoms.reshape([*track.atoms.shape[:axis], *[1] * (1 + added), *track.atoms.shape[axis + 1 :]])
            tracks.append(Track(moved, track.zero))
        elif not walker.is_parameter(index) or not flat or track.axes != {axis} or added:
            walker.table.fix(track.atoms, f"{op.name} at {op.where} picks channels by fixed numbers")
        else:
            source = track.atoms.ravel()
            picked = source[walker.indices[walker.views[index.id].name].ravel()]
            long = next((i for i, n in enumerate(shape_of(index)) if n > 1), 0)
            walker.note(index, long, "index", picked, source)
            shape = [1] * len(shape_of(y))
            shape[axis] = len(picked)
            tracks.append(Track(picked.reshape(shape), track.zero))
    walker.put(y, tracks)


def taken(walker: Walker, op: Op) -> None:
    """Positions along an axis by numbers that differ from one place to the next: channels that they name stay."""
    x, index = present(op.inputs[0]), present(op.inputs[1])
    axis = int(attribute(op, "axis", 1)) % len(shape_of(x))
    named = {axis} | {i for i, n in enumerate(shape_of(index)) if n > 1 and i not in walker.loose_axes(index)}
    walker.fix(index, f"{op.name} at {op.where} picks by numbers that depend on the channel")
    kept = []
    for track in walker.get(x):
        if track.axes & named:
            walker.table.fix(track.atoms, f"{op.name} at {op.where} picks channels by number")
        else:
            kept.append(track)
    walker.put(op.outputs[0], kept)


def _gathered_axis(walker: Walker, op: Op) -> int:
    if op.name == "gather_nd":
        if shape_of(present(op.inputs[1]))[-1] != 1:
            raise NotCovered
        return 0
    if op.name == "gather":
        return numbers(walker, op.inputs[2])[0] if len(op.inputs) > 2 else int(attribute(op, "axis", 0))
    return int(op.attrs["axis"])
