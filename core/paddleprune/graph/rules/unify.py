"""Unify: several inputs, position by position; what meets stands or falls together."""

from __future__ import annotations

import numpy as np

from paddleprune.graph.atoms import FIXED, Atoms
from paddleprune.graph.rules.common import present, shape_of, unknown
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker


def pointwise(walker: Walker, op: Op) -> None:
    """Sum, product and the like: what meets stands or falls together."""
    out = present(op.outputs[0])
    sides = [present(value) for value in op.inputs[:2]]
    learned = [walker.is_parameter(side) for side in sides]
    if all(learned):
        return unknown(walker, op)
    if any(learned):
        parameter, x = sides if learned[0] else sides[::-1]
        _vector_follows(walker, op, parameter, x)
        return walker.put(out, _aligned(walker.get(x), out))
    a, b = (_aligned(walker.get(side), out) for side in sides)
    shape_a, shape_b = ((1,) * (len(shape_of(out)) - len(shape_of(side))) + shape_of(side) for side in sides)
    if _is_gate(a, shape_a, b):
        return _gate(walker, op, sides[0], out, b)
    if _is_gate(b, shape_b, a):
        return _gate(walker, op, sides[1], out, a)
    walker.table.unite(a, b, f"{op.name} at {op.where} meets channels that can't be removed")
    walker.put(out, np.maximum(*np.broadcast_arrays(a, b)))


def _is_gate(gate: Atoms, shape: tuple[int, ...], other: Atoms) -> bool:
    """Is one side a single value along every axis where the other's atoms vary?"""
    varying = [i for i, n in enumerate(other.shape) if n > 1]
    return all(shape[i] == 1 for i in varying) and bool(varying or (gate == FIXED).all())


def _gate(walker: Walker, op: Op, gate: Value, out: Value, atoms: Atoms) -> None:
    walker.fix(gate, f"{op.name} at {op.where} spreads it over all channels")
    walker.put(out, atoms)


def _vector_follows(walker: Walker, op: Op, parameter: Value, x: Value) -> None:
    """A bias or a learned scale, maybe reshaped to [1, C, 1, 1], follows the channels that it meets."""
    name = walker.parameters[parameter.id]
    shape, long = walker.shapes[name], [i for i, n in enumerate(shape_of(parameter)) if n > 1]
    own_long = [i for i, n in enumerate(shape) if n > 1]
    atoms = walker.get(x)
    for i, own in zip(long, own_long, strict=True):
        axis = i - len(shape_of(parameter)) + len(shape_of(x))
        if axis < 0 or (atoms.shape[axis] == 1 and atoms.size > 1):
            continue  # varies along an axis where the channels don't
        if shape_of(x)[axis] == 1:
            walker.fix(x, f"{op.name} at {op.where} spreads it over all channels")
        else:
            walker.note(parameter, own, "follow", walker.vector(x, axis, op))


def _aligned(atoms: Atoms, out: Value) -> Atoms:
    """With leading axes of size 1, as broadcasting adds them."""
    return atoms.reshape([1] * (len(shape_of(out)) - atoms.ndim) + list(atoms.shape))
