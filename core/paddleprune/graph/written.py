"""Which sizes that forwards write count channels, and which channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.graph.atoms import Atoms, collapse
from paddleprune.graph.capture import Said
from paddleprune.graph.channels import Width, Written
from paddleprune.graph.rules.common import numbers, present, shape_of
from paddleprune.graph.rules.move import factors
from paddleprune.graph.telling import calls_of, is_slice, size_name
from paddleprune.graph.trace import Op, Traces, Value
from paddleprune.graph.walker import Walker


def find_written(layer: nn.Layer, walker: Walker, traced: Traces) -> tuple[Written, ...]:
    """The sizes that count channels wherever they are taken, after a walk.

    The batch axis, sizes that a forward leaves open (-1) and those that count other channels in each run aren't
    among them. Channels that rely on being told are protected where they can't be.
    """
    heard = [said for part in traced.parts for said in part.said]
    found: dict[tuple[str, str, int], list[Atoms | None]] = {}
    for said in heard:
        for entry, units in _counted(walker, said):
            found.setdefault((said.layer, said.call, entry), []).append(units)
    known = {place: units[0] for place, units in found.items() if _alike(units)}
    runs = Counter((said.layer, said.call) for said in heard)
    untold = {place[:2] for place in found if place not in known or len(found[place]) < runs[place[:2]]}
    relied = {(said.layer, said.call) for said in heard if not walker.relied.isdisjoint(said.results)}
    for said in heard:
        if (said.layer, said.call) in relied & untold:
            place = f"{said.layer}.{said.call}".removeprefix(".")
            walker.fix(Value(said.results[0], None), f"a size in {place} counts them, and other channels in other runs")
    sublayers = dict(layer.named_sublayers(include_self=True))
    return tuple(_written(sublayers, known, place, place[:2] in relied) for place in known)


def _alike(found: list[Any]) -> bool:
    return all(units is not None and np.array_equal(units, found[0]) for units in found)


def _written(sublayers: dict[str, Any], known: dict[Any, Any], place: tuple[str, str, int], needed: bool) -> Written:
    """A size, and the attribute that it is, if that counts the same everywhere."""
    layer, call, entry = place
    size, calls = Width(layer, size_name(call, entry), known[place]), calls_of(sublayers[layer])
    names = calls.get(call, ())
    attribute = names[entry] if entry < len(names) else None
    if attribute is None or vars(sublayers[layer]).get(attribute) != len(size.units):
        return Written(size, None, needed)
    others = [(other, e) for other, names in calls.items() for e, name in enumerate(names) if name == attribute]
    same = all(np.array_equal(known.get((layer, *other), ()), size.units) for other in others)
    return Written(size, attribute if same else None, needed)


def _counted(walker: Walker, said: Said) -> Iterator[tuple[int, Atoms | None]]:
    """For each size that a call takes, the units at the positions that it counts; None where that isn't known."""
    made = walker.makers.get(said.results[0])
    if made is None:
        return
    if is_slice(said.call):
        yield from _sliced(walker, said, made)
    elif made.name == "builtin.split":
        yield from _split(walker, said)
    elif len(said.results) == 1 and made.name.startswith("reshape"):
        yield from _reshaped(walker, said)
    elif len(said.results) == 1 and made.name in ("full", "expand", "tile"):
        yield from _spread(walker, said, made)


def _sliced(walker: Walker, said: Said, made: Op) -> Iterator[tuple[int, Atoms | None]]:
    """Of a slice that starts or ends somewhere: what lies before that."""
    x = next(value for value in made.outputs if value is not None and value.id == said.results[0])
    for entry, size in enumerate(said.sizes):
        if size is not None and entry > 1 and _has(walker, x, entry // 2):
            units = _along(walker, x.id, entry // 2, shape_of(x)[entry // 2])
            yield entry, None if units is None else units[:size]


def _spread(walker: Walker, said: Said, made: Op) -> Iterator[tuple[int, Atoms | None]]:
    """Of what is made or repeated: what it stands for is what it meets."""
    y = present(made.outputs[0])
    missing = len(shape_of(y)) - len(said.sizes)
    for entry, size in enumerate(said.sizes):
        axis = entry + missing
        if axis > 0 and _has(walker, y, axis):
            yield entry, _along(walker, y.id, axis, size) if size == shape_of(y)[axis] else None


def _has(walker: Walker, value: Value, axis: int) -> bool:
    return any(axis in track.axes for track in walker.get(value))


def _reshaped(walker: Walker, said: Said) -> Iterator[tuple[int, Atoms | None]]:
    op = walker.makers[said.results[0]]
    x, y = present(op.inputs[0]), present(op.outputs[0])
    if walker.is_parameter(x) or len(said.sizes) != len(shape_of(y)):
        return
    counting: list[int] = []
    for before, after in factors(shape_of(x), shape_of(y)):
        if any(t.axes & set(before) for t in walker.get(x)) or any(t.axes & set(after) for t in walker.get(y)):
            counting += after
    single = [axis for axis, size in enumerate(shape_of(y)) if size == 1]  # beside others it belongs to none of them
    for axis in (*counting, *single) if counting else ():
        if axis and said.sizes[axis] == shape_of(y)[axis]:
            yield axis, _along(walker, y.id, axis, shape_of(y)[axis])


def _split(walker: Walker, said: Said) -> Iterator[tuple[int, Atoms | None]]:
    made = walker.makers[said.results[0]]
    op = walker.makers[present(made.inputs[0]).id]
    axis = numbers(walker, op.inputs[-1])[0] % len(shape_of(present(op.inputs[0])))
    if op.name != "split" or not axis or not any(axis in t.axes for t in walker.get(present(op.inputs[0]))):
        return
    for entry, (size, result) in enumerate(zip(said.sizes, made.outputs, strict=False)):
        if result is not None and size == shape_of(result)[axis]:
            yield entry, _along(walker, result.id, axis, size)


def _along(walker: Walker, value: str, axis: int, size: int) -> Atoms | None:
    """The units along one axis of a value; zeros where none can go, None where several count at once."""
    tracks = [collapse(walker.table.find(track.atoms)) for track in walker.tracks.get(value, ())]
    here = [atoms for atoms in tracks if atoms.shape[axis] > 1]
    if not here:
        return np.zeros(size, np.int64)
    return here[0].ravel() if len(here) == 1 and here[0].size == size else None
