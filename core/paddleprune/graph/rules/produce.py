"""Own and read: parameters that make channels out of channels."""

from __future__ import annotations

import math

import numpy as np

from paddleprune.graph.atoms import Atoms, Track
from paddleprune.graph.rules.common import NotCovered, channel_axis, only_along, present, shape_of
from paddleprune.graph.rules.computed import computed
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker


def convolution(walker: Walker, op: Op) -> None:
    """The filters own the output's channels, their slices read the input's."""
    x, weight, y = present(op.inputs[0]), present(op.inputs[1]), present(op.outputs[0])
    _convolve(walker, op, x, weight, y, op.attrs.get("groups", 1))


def deformable(walker: Walker, op: Op) -> None:
    """A convolution whose positions are computed: what computes them can't be cut."""
    x, offset, weight, y = (present(v) for v in (*op.inputs[:3], op.outputs[0]))
    for value in (offset, op.inputs[3]):
        if value is not None:
            walker.fix(value, f"{op.name} at {op.where} samples where it says")
    read, _ = walker.vector(x, 1, op)
    walker.table.tie_rows(read.atoms, op.attrs.get("deformable_groups", 1))
    _convolve(walker, op, x, weight, y, op.attrs.get("groups", 1))


def _convolve(walker: Walker, op: Op, x: Value, weight: Value, y: Value, groups: int) -> None:
    transposed, channel = "transpose" in op.name, channel_axis(op, x)
    positions = math.prod(n for i, n in enumerate(shape_of(x if transposed else y)) if i not in (0, channel))
    if not walker.is_parameter(weight):
        return computed(walker, op, weight, positions)
    read, _ = walker.vector(x, channel, op)
    pointwise = _is_pointwise(op, weight)
    allowed = range(len(shape_of(x))) if pointwise else (0, channel)
    rest = [t for t in only_along(walker, op, x, allowed, "mixes positions") if channel not in t.axes]
    count_in, count_out = shape_of(x)[channel], shape_of(y)[channel]
    if groups == count_in and groups > 1:
        made = np.repeat(read.atoms, count_out // count_in)
        walker.note(weight, 0, "follow", read.atoms if transposed else made)
        if transposed:
            walker.note(weight, 1, "follow", np.zeros(count_out // count_in, np.int64))
    else:
        made = walker.table.fresh(count_out)
        walker.read(op, op.inputs.index(x), channel, read.atoms)
        walker.table.tie_rows(made, groups)
        walker.table.tie_rows(read.atoms, groups)
        if transposed and groups > 1:
            walker.note(weight, 0, "read", read.atoms)
            walker.note(weight, 1, "own", made.reshape(groups, -1)[0])
        else:
            walker.note(weight, 0 if transposed else 1, "read", read.atoms.reshape(groups, -1)[0])
            walker.note(weight, 1 if transposed else 0, "own", made)
    walker.use(weight, positions)
    return walker.put_along(y, channel, made, [Track(t.atoms, t.zero and pointwise) for t in rest])


def _is_pointwise(op: Op, weight: Value) -> bool:
    """Does every position stay by itself? Then a convolution is a linear layer."""
    long = [*shape_of(weight)[2:], *op.attrs.get("strides", [])]
    return all(n == 1 for n in long) and not any(op.attrs.get("paddings", [])) and "deformable" not in op.name


def embedding(walker: Walker, op: Op) -> None:
    """A table's columns own the channels; its rows are picked by number and stay."""
    ids, weight, y = present(op.inputs[0]), present(op.inputs[1]), present(op.outputs[0])
    walker.fix(ids, f"{op.name} at {op.where} takes it as numbers of rows")
    if not walker.is_parameter(weight):
        raise NotCovered
    rows, width = shape_of(weight)
    made = walker.table.fresh(width)
    walker.note(weight, 0, "follow", np.zeros(rows, np.int64))
    walker.note(weight, 1, "own", made)
    walker.put_along(y, len(shape_of(y)) - 1, made)


def recurrent(walker: Walker, op: Op) -> None:
    """[time, batch, channels] to hidden states: a unit is a state's number, with its row in every gate.

    One number says how wide all layers and directions are, so that they lose the same units. A unit is read by the
    states of the next step, too.
    """
    x, y = present(op.inputs[0]), present(op.outputs[0])
    listed = present(op.inputs[2])
    weights, packed = walker.lists.get(listed.id), walker.packed.get(listed.id)
    if weights is None or packed is None or not all(walker.is_parameter(weight) for weight in weights):
        raise NotCovered
    if op.inputs[3] is not None:
        walker.fix(op.inputs[3], f"{op.name} at {op.where} takes it as lengths")
    read, rest = walker.vector(x, 2, op)
    for track in rest:
        walker.table.fix(track.atoms, f"{op.name} at {op.where} mixes positions")
    walker.read(op, 0, 2, read.atoms)
    units, ways = walker.table.fresh(int(op.attrs["hidden_size"])), 2 if op.attrs["is_bidirec"] else 1
    zero = _start(walker, op, units)
    matrices = [weight for weight in weights if len(shape_of(weight)) == 2]  # of each layer and direction two
    for place, weight in enumerate(matrices):
        rows = np.tile(units, shape_of(weight)[0] // len(units))
        own, first = place % 2 == 0, place < 2 * ways
        columns = units if not own else read.atoms if first else np.tile(units, ways)
        walker.note(weight, 0, "own" if own else "follow", rows)
        walker.note(weight, 1, "read", columns)
        if not (own and first):
            walker.read(packed, packed.inputs.index(weight), 1, columns)
        walker.use(weight, shape_of(x)[0])
    for bias in (weight for weight in weights if len(shape_of(weight)) == 1):
        walker.note(bias, 0, "follow", np.tile(units, shape_of(bias)[0] // len(units)))
    walker.put_along(y, 2, np.tile(units, ways), zero=zero)
    last = (Track(units.reshape(1, 1, -1), zero),)
    walker.pieces[present(op.outputs[2]).id] = [(last, frozenset[int]())] * (2 if op.attrs["mode"] == "LSTM" else 1)


def _start(walker: Walker, op: Op, units: Atoms) -> bool:
    """Tie what states begin with to them; are they zero where nothing comes in?"""
    reason, zero = f"{op.name} at {op.where} takes it as states", True
    for value in walker.lists.get(present(op.inputs[1]).id, ()):
        number = walker.constant(value)
        zero = zero and number is not None and not np.any(number)
        if 2 in walker.loose_axes(value):
            walker.embody(value, 2)
        if 2 not in walker.loose_axes(value):
            track, rest = walker.vector(value, 2, op)
            walker.table.unite(units, track.atoms, reason)
            for other in rest:
                walker.table.fix(other.atoms, reason)
    return zero
