"""What a plan may set besides shapes: the widths that a network's layers hold as numbers, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import TypeAlias

from paddle import nn

from paddleprune.errors import PlanError
from paddleprune.graph.telling import call_of, calls_of, is_size
from paddleprune.graph.tensors import named_tensors
from paddleprune.paddle_private.widths import GROUPS, NORM_GROUPS, NORM_SHAPE

Attributes: TypeAlias = Mapping[str, Mapping[str, int]]
"""Layer name -> attribute -> value: what a pruned network has and its shapes don't tell."""
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
_PADDLES = (GROUPS, NORM_GROUPS, NORM_SHAPE, "num_heads", "nhead", "head_dim")
"""The attributes of Paddle's own layers that a cut may change."""


def check_attributes(layer: nn.Layer, shapes: Shapes, attributes: Attributes) -> None:
    """Refuse to set what no cut changes.

    A width is a whole number that the dense layer holds. It shrinks by the factor by which an axis of some
    parameter does, unless the layer writes it as a size; groups divide the channels. A size in a forward is told where
    the source has such a call.

    Args:
        layer: the dense network.
        shapes: those of the pruned one.
        attributes: what a plan wants to set.

    Raises:
        PlanError: naming the layer, the attribute and the value.
    """
    sublayers = dict(layer.named_sublayers(include_self=True))
    factors = set(_factors(layer, shapes))
    for name, values in attributes.items():
        if name not in sublayers:
            raise PlanError(f"the plan sets attributes of {name!r}, a layer that this network lacks")
        for attribute, value in values.items():
            why = _wrong(sublayers[name], name, attribute, value, factors, shapes)
            if why:
                place = f"{name}.{attribute}".removeprefix(".")
                raise PlanError(f"the plan sets {place} to {value!r}, but {why}; use the plan that was carried out")


def _wrong(
    sub: nn.Layer, name: str, attribute: str, value: int, factors: set[tuple[int, int]], shapes: Shapes
) -> str | None:
    if is_size(attribute):
        return None if call_of(attribute) in calls_of(sub) else "its source writes no such size"
    dense = vars(sub).get(attribute)
    if attribute == NORM_SHAPE and isinstance(dense, (list, tuple)) and dense:
        dense = dense[0]
    if not isinstance(dense, Integral) or isinstance(dense, bool):
        return "that is no width that the layer holds"
    if type(sub).__module__.startswith("paddle.") and attribute not in _PADDLES:
        return "no cut changes that"
    if value > dense:
        return f"the dense layer has {dense}"
    if attribute in (GROUPS, NORM_GROUPS):
        filters = shapes.get(f"{name}.weight".removeprefix("."), ())
        return f"that doesn't divide its {filters[0]} channels" if filters and filters[0] % value else None
    written = any(attribute in names for names in calls_of(sub).values())
    if (
        value != dense
        and attribute != NORM_SHAPE
        and not written
        and not any(old * value == new * dense for new, old in factors)
    ):
        return f"no parameter shrinks from {dense} to {value} in proportion"
    return None


def _factors(layer: nn.Layer, shapes: Shapes) -> Iterator[tuple[int, int]]:
    """Of each axis that shrinks: what is left, and what there was."""
    for name, tensor in named_tensors(layer).items():
        yield from ((new, old) for new, old in zip(shapes.get(name, ()), tensor.shape, strict=False) if new < old)
