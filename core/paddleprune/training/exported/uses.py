"""What a network uses each weight for, and in which order: the same in any program of the same network."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from paddle import nn

from paddleprune.graph.capture import capture

_NORMS = {
    "batch_norm": ("X", "Mean", "Variance", "Scale", "Bias"),
    **dict.fromkeys(("layer_norm", "group_norm", "instance_norm"), ("X", "Scale", "Bias")),
}
"""The operands of norms, in PIR's order, by the names that the old IR has for them."""
_KINDS = {"Mean": "_mean", "Variance": "_variance", "Scale": "weight", "Bias": "bias"}
_ON_THE_WAY = ("cast", "reshape", "reshape2", "assign", "share_data")
"""What a weight may go through before it is used."""
_SCALING = ("prelu", "multiply", "elementwise_mul")


class Operation(NamedTuple):
    """One operation of a program.

    Attributes:
        name: such as `conv2d`.
        inputs: values that it reads, each with the name of its operand; "" where operands are in PIR's order.
        results: values that it gives.
    """

    name: str
    inputs: Sequence[tuple[str, Hashable]]
    results: Sequence[Hashable]


def uses(operations: Iterable[Operation], weights: Mapping[Hashable, tuple[str, int]]) -> dict[str, str]:
    """Each weight's kind (`weight`, `bias`, `_mean`, `_variance`), in the order in which they are first used.

    Args:
        operations: in the order in which they run.
        weights: value -> a weight's name, and how many axes it has.
    """
    held, found = dict(weights), dict[str, str]()
    for operation in operations:
        name = operation.name.removesuffix("_").removeprefix("sync_")
        for place, (slot, value) in enumerate(operation.inputs):
            if value not in held:
                continue
            if name in _ON_THE_WAY:
                held.update((result, held[value]) for result in operation.results[:1])
                continue
            weight, axes = held[value]
            found.setdefault(weight, _kind(name, slot or _slot(name, place), axes))
    return found


def uses_of(layer: nn.Layer, shapes: Sequence[tuple[int, ...]]) -> dict[str, str]:
    """The same of a layer, by structured names.

    Args:
        layer: any layer that can be traced; it is left as it was.
        shapes: shape of each input, without the batch axis.

    Raises:
        GraphError: it can't be traced.
    """
    seen = capture(layer, [(1, *shape) for shape in shapes])
    weights = dict[Hashable, tuple[str, int]]()
    for raw in seen.ops:
        name = seen.parameter(raw)
        if name is not None:
            (value,) = raw.results()
            weights[value.id] = name, len(value.shape)
    operations = (
        Operation(
            raw.name().partition(".")[2],
            [("", value.id if value.initialized() else None) for value in raw.operands_source()],
            [value.id for value in raw.results() if value.initialized()],
        )
        for raw in seen.ops
    )
    return uses(operations, weights)


def _slot(name: str, place: int) -> str:
    slots = _NORMS.get(name, ())
    return slots[place] if place < len(slots) else ""


def _kind(name: str, slot: str, axes: int) -> str:
    if name in _NORMS and slot in _KINDS:
        return _KINDS[slot]
    return "bias" if axes == 1 and name not in _SCALING else "weight"
