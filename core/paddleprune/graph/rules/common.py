"""What all rules use, and what becomes of an operation that has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from paddleprune.graph.atoms import Track
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker

Rule: TypeAlias = Callable[[Walker, Op], None]


class NotCovered(Exception):  # noqa: N818 (it never leaves the rules)
    """An operation comes in a form that its rule doesn't know: it is treated as one without a rule."""


def unknown(walker: Walker, op: Op) -> None:
    """No rule: everything that goes in is protected, and the outputs can't be cut."""
    for value in op.inputs:
        if value is not None and walker.touches(value):
            reason = f"no rule for the operation {op.name} at {op.where}"
            for part in walker.lists.get(value.id, [value]):
                if walker.is_parameter(part):
                    walker.lose(walker.views[part.id].name, reason)
            walker.fix(value, reason)
            walker.uncounted.add(op.name)


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


def numbers(walker: Walker, value: Value | None) -> list[int]:
    """Numbers that an operand is known to hold.

    Raises:
        NotCovered: it depends on data.
    """
    found = walker.constant(value)
    if found is None:
        raise NotCovered
    return [int(n) for n in np.ravel(np.asarray(found))]


def channel_axis(op: Op, value: Value) -> int:
    """Which axis holds the channels of an image."""
    channels_last = str(op.attrs.get("data_format", "NCHW")).endswith("C")
    return len(shape_of(value)) - 1 if channels_last else 1


def only_along(walker: Walker, op: Op, value: Value, axes: Iterable[int], what: str) -> list[Track]:
    """The tracks that vary along some axes only; the others are protected, since `op` does `what` to their axes."""
    allowed, kept = frozenset(axes), []
    for track in walker.get(value):
        if track.axes <= allowed:
            kept.append(track)
        else:
            walker.table.fix(track.atoms, f"{op.name} at {op.where} {what}")
    return kept


def silenced(tracks: Iterable[Track], zero: bool) -> list[Track]:
    """The same tracks of an output that is zero, or not, where they are silenced."""
    return [Track(track.atoms, track.zero and zero) for track in tracks]


def attribute(op: Op, name: str, default: Any) -> Any:
    """An attribute of an operation, or what it means when it is absent."""
    found = op.attrs.get(name)
    return default if found is None else found


def embody_others(walker: Walker, values: Iterable[Value]) -> None:
    """Where some values have channels, others that are the same everywhere get channels of their own, to be told."""
    values = list(values)
    axes = {
        axis - len(shape_of(value))
        for value in values
        for track in walker.get(value)
        if len(track.axes) == 1
        for axis in track.axes
    }
    for value in values:
        for axis in axes:
            own = axis + len(shape_of(value))
            if own > 0 and shape_of(value)[own] > 1:
                walker.embody(value, own)
