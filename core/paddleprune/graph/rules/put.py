"""Put: a part of a value becomes something else, as in `x[a:b] = v`."""

from __future__ import annotations

import numpy as np

from paddleprune.graph.atoms import Track
from paddleprune.graph.rules.common import NotCovered, attribute, numbers, present, shape_of
from paddleprune.graph.rules.cut import cut_out
from paddleprune.graph.rules.unify import meet
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker


def tensor(walker: Walker, op: Op) -> None:
    """The part meets what it becomes; zero where both are."""
    x, value = present(op.inputs[0]), present(op.inputs[1])
    dropped = attribute(op, "decrease_axes", [])
    if not dropped and not walker.is_parameter(value):
        added = len(shape_of(x)) - len(shape_of(value))
        for axis in {i + added for track in walker.get(value) for i in track.axes}:
            walker.embody(x, axis)
    part = _part(walker, op, x, 2)
    met = Value(f"{part.id} met", part.shape)
    meet(walker, op, [part, value], all, met)
    zero = all(track.zero for track in walker.get(met))
    _become(walker, op, zero, () if dropped else walker.loose_axes(x) & walker.loose_axes(met))


def number(walker: Walker, op: Op) -> None:
    """The part becomes a number."""
    _part(walker, op, present(op.inputs[0]), 1)
    _become(walker, op, not np.any(op.attrs["values"]), ())


def _part(walker: Walker, op: Op, x: Value, bounds: int) -> Value:
    """The part, with what it carries; its bounds are operands from some number on."""
    if attribute(op, "none_axes", []):
        raise NotCovered
    where = [*map(slice, *(numbers(walker, value) for value in op.inputs[bounds:]))]
    dropped = [int(i) % len(shape_of(x)) for i in attribute(op, "decrease_axes", [])]
    sizes = list(shape_of(x))
    for axis, piece in zip(op.attrs["axes"], where, strict=True):
        sizes[axis] = len(range(*piece.indices(sizes[axis])))
    part = Value(f"{present(op.outputs[0]).id} part", tuple(n for i, n in enumerate(sizes) if i not in dropped))
    cut_out(walker, op, x, part, where, dropped, walker.changed.get(x.id))
    return part


def _become(walker: Walker, op: Op, zero: bool, loose: frozenset[int] | tuple[int, ...]) -> None:
    x, y = present(op.inputs[0]), present(op.outputs[0])
    walker.put(y, [Track(track.atoms, track.zero and zero) for track in walker.get(x)], loose)
    for known in (walker.told, walker.changed):
        if x.id in known:
            known[y.id] = known[x.id]
