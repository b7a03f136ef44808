"""What all rules use, and what becomes of an operation that has none."""

from __future__ import annotations

import numpy as np

from paddleprune.graph.atoms import Atoms
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker


def unknown(walker: Walker, op: Op) -> None:
    """No rule: everything that goes in is protected, and the outputs can't be cut."""
    for value in op.inputs:
        if value is not None:
            walker.fix(value, f"no rule for the operation {op.name} at {op.where}")
    walker.uncounted.add(op.name)


class NotCovered(Exception):  # noqa: N818 (it never leaves the rules)
    """An operation comes in a form that its rule doesn't know: it is treated as one without a rule."""


def present(value: Value | None) -> Value:
    """A value that a rule can't do without.

    Raises:
        NotCovered: the operation lacks it.
    """
    if value is None:
        raise NotCovered
    return value


def shape_of(value: Value) -> tuple[int, ...]:
    """The shape of one tensor.

    Raises:
        NotCovered: it is a list of tensors.
    """
    if value.shape is None:
        raise NotCovered
    return value.shape


def scalar(value: object) -> int:
    """A number, or the only one of a list."""
    return int(np.ravel(np.asarray(value))[0])


def put_along(walker: Walker, value: Value, axis: int, atoms: Atoms) -> None:
    """Say that a value carries a vector of atoms along one axis."""
    shape = [1] * len(shape_of(value))
    shape[axis] = len(atoms)
    walker.put(value, atoms.reshape(shape))
