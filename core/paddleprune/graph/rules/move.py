"""Move: the same channels elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from paddleprune.graph.atoms import Atoms, Track
from paddleprune.graph.rules.common import channel_axis, embody_others, numbers, only_along, present, shape_of, unknown
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.views import View
from paddleprune.graph.walker import Walker


def reshape(walker: Walker, op: Op) -> None:
    """Moves atoms. Where an axis is cut into factors, what is left must be a grid again (shuffles, heads)."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    before, after = shape_of(x), shape_of(y)
    pairs = factors(before, after)
    if walker.is_parameter(x):
        axes = _unsqueezed(before, after)
        if axes is not None:
            own = walker.views[x.id].axes
            walker.views[y.id] = View(walker.views[x.id].name, tuple(None if i is None else own[i] for i in axes))
            return
    adapts = _adapting(walker, op, len(after))
    walker.put(
        y,
        [Track(_reshaped(walker, t.atoms, before, after, pairs, adapts), t.zero) for t in walker.get(x)],
        [i for axes_in, axes_out in pairs if walker.loose_axes(x).issuperset(axes_in) for i in axes_out],
    )


def _reshaped(
    walker: Walker,
    atoms: Atoms,
    before: tuple[int, ...],
    after: tuple[int, ...],
    pairs: list[tuple[list[int], list[int]]],
    adapts: int | None,
) -> Atoms:
    full, shape = [1] * len(before), [1] * len(after)
    for axes_in, axes_out in pairs:
        if any(atoms.shape[i] > 1 for i in axes_in):
            for i in axes_in:
                full[i] = before[i]
            for i in axes_out:
                shape[i] = after[i]
    moved = np.broadcast_to(atoms, full).reshape(shape)
    for _, axes_out in pairs:
        long = [i for i in axes_out if moved.shape[i] > 1]
        if len(long) > 1:
            grid = np.moveaxis(moved, long, range(len(long)))
            walker.grids.append((grid, long.index(adapts) if adapts in long else None))
    return moved


def _adapting(walker: Walker, op: Op, rank: int) -> int | None:
    """The axis whose size a reshape works out by itself, written as -1."""
    target = walker.constant(op.inputs[1]) if len(op.inputs) > 1 else None
    if op.name.startswith("reshape") and target is not None and len(np.ravel(target)) == rank:
        return next((i for i, n in enumerate(np.ravel(target)) if n == -1), None)
    return None


def _unsqueezed(before: tuple[int, ...], after: tuple[int, ...]) -> list[int | None] | None:
    """For each axis of the new shape the old one, if only axes of size 1 came or went; else None."""
    if [n for n in before if n > 1] != [n for n in after if n > 1]:
        return None
    found: list[int | None] = []
    at = 0
    for size in after:
        while size > 1 and before[at] == 1:
            at += 1
        stays = at < len(before) and before[at] == size
        found.append(at if stays else None)
        at += stays
    return found


def factors(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Which consecutive axes of a reshape hold the same positions: the finest such pairs."""
    pairs, i, j = [], 0, 0
    while i < len(before) or j < len(after):
        axes_in, axes_out, size_in, size_out = [], [], 1, 1
        while True:
            if i < len(before) and (size_in <= size_out or j >= len(after)):
                axes_in.append(i)
                size_in, i = size_in * before[i], i + 1
            elif j < len(after):
                axes_out.append(j)
                size_out, j = size_out * after[j], j + 1
            if size_in == size_out or (i >= len(before) and j >= len(after)):
                break
        pairs.append((axes_in, axes_out))
    return pairs


def transpose(walker: Walker, op: Op) -> None:
    """Axes trade places."""
    x, y, perm = present(op.inputs[0]), present(op.outputs[0]), [int(i) for i in op.attrs["perm"]]
    if walker.is_parameter(x):
        view = walker.views[x.id]
        walker.views[y.id] = View(view.name, tuple(view.axes[i] for i in perm))
        return
    loose = walker.loose_axes(x)
    moved = [Track(t.atoms.transpose(perm), t.zero) for t in walker.get(x)]
    walker.put(y, moved, [i for i, old in enumerate(perm) if old in loose])


def tile(walker: Walker, op: Op) -> None:
    """The whole again and again along some axes."""
    x, y, times = present(op.inputs[0]), present(op.outputs[0]), numbers(walker, op.inputs[1])
    rank = len(shape_of(y))
    times, before = ([1] * (rank - len(part)) + list(part) for part in (times, shape_of(x)))
    moved = []
    for track in walker.get(x):
        atoms = track.atoms.reshape([1] * (rank - track.atoms.ndim) + list(track.atoms.shape))
        moved.append(Track(np.tile(atoms, [n if atoms.shape[i] > 1 else 1 for i, n in enumerate(times)]), track.zero))
    copies = [i for i, n in enumerate(times) if n > 1 and before[i] == 1]
    walker.put(y, moved, [*copies, *(i + rank - len(shape_of(x)) for i in walker.loose_axes(x))])


def expand(walker: Walker, op: Op) -> None:
    """Axes of size 1 repeat: the copies adapt to whatever width they meet."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    if walker.is_parameter(x) and shape_of(x) == shape_of(y):
        walker.views[y.id] = walker.views[x.id]
        return
    before, after = shape_of(x), shape_of(y)
    missing = len(after) - len(before)
    moved = [Track(t.atoms.reshape([1] * missing + list(t.atoms.shape)), t.zero) for t in walker.get(x)]
    copies = [i for i, n in enumerate(after) if n > 1 and (i < missing or before[i - missing] == 1)]
    walker.put(y, moved, [*copies, *(i + missing for i in walker.loose_axes(x))])


def pixel_shuffle(walker: Walker, op: Op) -> None:
    """[C r r, H, W] -> [C, H r, W r]: the r r channels of an output channel stand or fall together."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    channel, factor = channel_axis(op, x), int(op.attrs["upscale_factor"]) ** 2
    for track in only_along(walker, op, x, (channel,), "moves channels into positions"):
        rows = track.atoms.reshape(-1, factor)
        walker.table.tie_across(rows, 1)
        walker.put_along(y, channel, rows[:, 0], zero=track.zero)


def pixel_unshuffle(walker: Walker, op: Op) -> None:
    """[C, H r, W r] -> [C r r, H, W]: a channel becomes r r of them."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    channel, factor = channel_axis(op, x), int(op.attrs["downscale_factor"]) ** 2
    for track in only_along(walker, op, x, (channel,), "moves positions into channels"):
        walker.put_along(y, channel, np.repeat(track.atoms.ravel(), factor), zero=track.zero)


def maxout(walker: Walker, op: Op) -> None:
    """The largest of every few channels that stand beside each other: they stand or fall together."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    axis = int(op.attrs["axis"]) % len(shape_of(x))
    for track in only_along(walker, op, x, (axis,), "moves channels"):
        rows = track.atoms.reshape(-1, int(op.attrs["groups"]))
        walker.table.tie_across(rows, 1)
        walker.put_along(y, axis, rows[:, 0], zero=track.zero)


def unfold(walker: Walker, op: Op) -> None:
    """[C, H, W] -> [C k k, windows]: a channel becomes k k of them."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    for track in only_along(walker, op, x, (1,), "moves positions into channels"):
        atoms = track.atoms.ravel()
        walker.put_along(y, 1, np.repeat(atoms, shape_of(y)[1] // len(atoms)), zero=track.zero)


def fold(walker: Walker, op: Op) -> None:
    """[C k k, windows] -> [C, H, W]: the k k that become a channel stand or fall together."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    for track in only_along(walker, op, x, (1,), "moves positions into channels"):
        rows = track.atoms.reshape(shape_of(y)[1], -1)
        walker.table.tie_across(rows, 1)
        walker.put_along(y, 1, rows[:, 0], zero=track.zero)


def repeat(walker: Walker, op: Op) -> None:
    """Every position of an axis a few times."""
    x, axis = present(op.inputs[0]), int(op.attrs["axis"])
    tracks = walker.get(x)
    again = [np.repeat(t.atoms, int(op.attrs["repeats"]), axis) if axis in t.axes else t.atoms for t in tracks]
    walker.put(op.outputs[0], [Track(a, t.zero) for a, t in zip(again, tracks, strict=True)], walker.loose_axes(x))


def channel_shuffle(walker: Walker, op: Op) -> None:
    """[g, C/g] transposed: every one of the g parts loses the same channels."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    channel, groups = channel_axis(op, x), int(op.attrs["groups"])
    for track in only_along(walker, op, x, (channel,), "moves channels"):
        grid = track.atoms.reshape(groups, -1)
        walker.table.tie_across(grid, 0)
        walker.put_along(y, channel, grid.T.ravel(), zero=track.zero)


def concat(walker: Walker, op: Op) -> None:
    """One after the other along an axis; what lies along other axes meets."""
    y, axis = present(op.outputs[0]), numbers(walker, op.inputs[1])[0] % len(shape_of(present(op.outputs[0])))
    values = walker.lists.get(present(op.inputs[0]).id)
    if values is None:
        return unknown(walker, op)
    embody_others(walker, values)
    _join(walker, op, values, [walker.get(value) for value in values], [shape_of(v) for v in values], y, axis)
    return None


def stack(walker: Walker, op: Op) -> None:
    """Beside each other along a new axis, which stays: the same channels go from each."""
    values, y = walker.lists.get(present(op.inputs[0]).id), present(op.outputs[0])
    if values is None:
        return unknown(walker, op)
    axis = int(op.attrs["axis"]) % len(shape_of(y))
    tracks = [[Track(np.expand_dims(t.atoms, axis), t.zero) for t in walker.get(value)] for value in values]
    shapes = [(*shape_of(v)[:axis], 1, *shape_of(v)[axis:]) for v in values]
    _join(walker, op, values, tracks, shapes, y, axis)
    return None


def _join(
    walker: Walker,
    op: Op,
    values: list[Value],
    tracks: Sequence[Sequence[Track]],
    shapes: list[tuple[int, ...]],
    y: Value,
    axis: int,
) -> None:
    reason = f"{op.name} at {op.where} meets channels that can't be removed"
    merged: list[Track] = []
    spans = {track.axes - {axis} for part in tracks for track in part if track.axes - {axis}}
    for span in sorted(spans, key=sorted):  # across: the parts meet position by position
        met = [[t for t in part if t.axes - {axis} == span] for part in tracks]
        known = [t for part in met for t in part]
        for part, value in zip(met, values, strict=True):
            if not part and not walker.loose_axes(value):
                walker.table.fix(np.concatenate([t.atoms.ravel() for t in known]), reason)
        first = next((t for t in known if axis not in t.axes), None)
        if first is None:
            for t in known:
                walker.table.fix(t.atoms, f"{op.name} at {op.where} joins channels that lie along several axes")
            continue
        for t in known:
            walker.table.unite(first.atoms, t.atoms, reason)
        merged.append(Track(first.atoms, all(part and part[0].zero for part in met)))
    along = [[t for t in part if t.axes == {axis}] for part in tracks]
    for beside in zip_longest(*along):  # what was flattened has several tracks along one axis
        pieces = [
            np.zeros(shape[axis], np.int64) if track is None else track.atoms.ravel()
            for track, shape in zip(beside, shapes, strict=True)
        ]
        shape = [1] * len(shape_of(y))
        shape[axis] = sum(len(piece) for piece in pieces)
        zero = all(track is None or track.zero for track in beside)
        merged.append(Track(np.concatenate(pieces).reshape(shape), zero))
    walker.put(y, merged)


def pack(walker: Walker, op: Op) -> None:
    """Values to a list."""
    identity = present(op.outputs[0]).id
    walker.lists[identity] = [value for value in op.inputs if value is not None]
    walker.packed[identity] = op
    numbers_of = [walker.constant(value) for value in op.inputs]
    if all(n is not None for n in numbers_of):
        walker.constants[identity] = [int(np.ravel(n)[0]) for n in numbers_of]


def unpack(walker: Walker, op: Op) -> None:
    """A list to its values."""
    source = present(op.inputs[0]).id
    for out, (tracks, loose) in zip(op.outputs, walker.pieces.get(source, []), strict=False):
        walker.put(out, tracks, loose)
    for out, value in zip(op.outputs, walker.lists.get(source, []), strict=False):
        if out is not None:
            walker.put(out, walker.get(value), walker.loose_axes(value))
