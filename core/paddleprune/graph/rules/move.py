"""Move: the same channels elsewhere."""

from __future__ import annotations

import numpy as np

from paddleprune.graph.atoms import FIXED, Atoms
from paddleprune.graph.rules.common import present, scalar, shape_of, unknown
from paddleprune.graph.trace import Op
from paddleprune.graph.walker import Walker


def reshape(walker: Walker, op: Op) -> None:
    """Moves atoms. An axis that is cut into factors keeps the smaller one fixed (channel shuffle, heads)."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    if walker.is_parameter(x):
        name = walker.parameters[x.id]
        if [n for n in shape_of(y) if n > 1] == [n for n in walker.shapes[name] if n > 1]:
            walker.parameters[y.id] = name
            return None
        return unknown(walker, op)
    atoms = walker.get(x)
    if (atoms == FIXED).all():
        return None
    for axes_in, axes_out in _factors(shape_of(x), shape_of(y)):
        varying = [i for i in axes_in if atoms.shape[i] > 1]
        sizes = [shape_of(y)[i] for i in axes_out if shape_of(y)[i] > 1]
        if varying and len(sizes) > 1 and len([i for i in axes_in if shape_of(x)[i] > 1]) == 1:
            _tie_factors(walker, op, atoms, varying[0], sizes)
    return walker.put(y, walker.full(x).reshape(shape_of(y)))


def _tie_factors(walker: Walker, op: Op, atoms: Atoms, axis: int, sizes: list[int]) -> None:
    """[C] -> [a, b]: what is removed is the same for every index of the smaller factor."""
    rows = np.moveaxis(atoms, axis, 0).reshape(atoms.shape[axis], -1)
    if len(sizes) > 2:
        return walker.table.fix(atoms, f"{op.name} at {op.where} cuts channels into more than two factors")
    grid = rows.reshape(sizes[0], sizes[1], -1)
    if sizes[0] > sizes[1]:
        grid = grid.swapaxes(0, 1)
    for part in grid[1:]:
        walker.table.unite(grid[0], part, "tied to a channel that can't be removed")
    return None


def _factors(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
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
    x = present(op.inputs[0])
    if walker.is_parameter(x):
        return unknown(walker, op)
    return walker.put(op.outputs[0], walker.get(x).transpose(op.attrs["perm"]))


def concat(walker: Walker, op: Op) -> None:
    """One after the other along an axis."""
    y, axis = present(op.outputs[0]), walker.constant(op.inputs[1])
    values = walker.lists.get(present(op.inputs[0]).id)
    if values is None or axis is None:
        return unknown(walker, op)
    axis = scalar(axis) % len(shape_of(y))
    arrays = [walker.get(value) for value in values]
    common = np.broadcast_shapes(*((*a.shape[:axis], 1, *a.shape[axis + 1 :]) for a in arrays))
    parts = []
    for value, atoms in zip(values, arrays, strict=True):
        shape = list(common)
        shape[axis] = shape_of(value)[axis]
        parts.append(np.broadcast_to(atoms, shape))
    if max(common) > 1:  # channels lie along another axis: the parts are tied position by position
        for part in parts[1:]:
            walker.table.unite(parts[0].take([0], axis), part.take([0], axis), f"{op.name} at {op.where}")
    return walker.put(y, np.concatenate(parts, axis))


def split(walker: Walker, op: Op) -> None:
    """Parts along an axis; equal parts lose the same channels, since the forward may compute their width."""
    x, axis = present(op.inputs[0]), walker.constant(op.inputs[-1])
    if axis is None or walker.is_parameter(x):
        return unknown(walker, op)
    walker.parts[present(op.outputs[0]).id] = (x, scalar(axis) % len(shape_of(x)))
    return None


def unpack(walker: Walker, op: Op) -> None:
    """A list to its values; of a `split`, the parts themselves."""
    source = present(op.inputs[0])
    if source.id not in walker.parts:
        for out, value in zip(op.outputs, walker.lists.get(source.id, []), strict=False):
            if out is not None:
                walker.put(out, walker.get(value))
        return
    x, axis = walker.parts[source.id]
    atoms = walker.get(x)
    widths = [shape_of(present(out))[axis] for out in op.outputs]
    if atoms.shape[axis] == 1:
        pieces = [atoms] * len(widths)
    else:
        pieces = np.split(atoms, np.cumsum(widths)[:-1], axis)
        if len(set(widths)) == 1:
            for piece in pieces[1:]:
                walker.table.unite(pieces[0], piece, "tied to a part of the same split that can't be removed")
    for out, piece in zip(op.outputs, pieces, strict=True):
        walker.put(out, piece)


def pack(walker: Walker, op: Op) -> None:
    """Values to a list."""
    walker.lists[present(op.outputs[0]).id] = [value for value in op.inputs if value is not None]
