"""Layers that go as a whole: the same objects, without parameters, which give zeros that broadcast.

The forward that calls them stays as it is. What they give has one position along every axis, so that nothing is
computed from it that costs anything, and Paddle's export leaves out all that led to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import paddle
from paddle import nn

from paddleprune.errors import PlanError
from paddleprune.graph.branches import Branch, outermost

_MOST_AXES = 8


class Zeros(nn.Layer):
    """Stands where a layer was that went with its branch.

    Args:
        axes: how many axes its output has.
    """

    def __init__(self, axes: int) -> None:
        super().__init__()
        self._axes = axes

    @paddle.jit.not_to_static  # type: ignore[untyped-decorator]
    def forward(self, *inputs: Any, **more: Any) -> Any:
        """Zeros of the type of the first input that holds floating-point numbers."""
        types = [value.dtype for value in (*inputs, *more.values()) if hasattr(value, "dtype")]
        floats = [dtype for dtype in types if "float" in str(dtype).lower()]
        return paddle.zeros([1] * self._axes, floats[0] if floats else None)


class Contents:
    """What a layer was before it was emptied."""

    def __init__(self, layer: nn.Layer) -> None:
        self._layer, self._type, self._held = layer, type(layer), dict(vars(layer))

    def restore(self) -> None:
        """Make the layer what it was; it keeps its mode."""
        _become(self._layer, self._type, self._held)


def contents_of(layer: nn.Layer, names: Iterable[str]) -> list[Contents]:
    """What restores some sublayers, those inside of others too."""
    sublayers = dict(layer.named_sublayers())
    return [Contents(sublayers[name]) for name in names if name in sublayers]


def empty(layer: nn.Layer, axes: Mapping[str, int]) -> None:
    """Empty sublayers of a network, in place: every reference to them stays valid.

    Args:
        layer: the network.
        axes: sublayer -> how many axes its output has; what is inside of another one of them goes with that.

    """
    sublayers = dict(layer.named_sublayers())
    for name, count in axes.items():
        if name in sublayers:
            _become(sublayers[name], Zeros, vars(Zeros(count)))


def axes_of(branches: Iterable[Branch]) -> dict[str, int]:
    """What `empty` takes, of the branches that go."""
    return {name: count for branch in outermost(branches) for name, count in branch.layers.items()}


def emptied_in(layer: nn.Layer) -> dict[str, int]:
    """The sublayers of a network that are empty, by this or an earlier cut -> how many axes their outputs have."""
    return {name: sub._axes for name, sub in layer.named_sublayers() if isinstance(sub, Zeros)}


def goes_with(name: str, emptied: Iterable[str]) -> bool:
    """Does a parameter, buffer or layer go with one of these layers?"""
    return any(name.startswith(f"{layer}.") for layer in emptied)


def check_emptied(layer: nn.Layer, axes: Mapping[str, int]) -> None:
    """Refuse to empty what isn't there.

    Raises:
        PlanError: the network lacks a sublayer, or its output can't have so many axes.
    """
    sublayers = dict(layer.named_sublayers())
    for name, count in axes.items():
        if name not in sublayers and not goes_with(name, axes):
            raise PlanError(f"the plan empties the layer {name!r}, which this network lacks; use this network's plan")
        if not 0 <= count <= _MOST_AXES:
            raise PlanError(f"the plan says that the output of {name!r} has {count} axes; use the plan that was saved")


def _become(layer: nn.Layer, kind: type, held: Mapping[str, Any]) -> None:
    mode = vars(layer)["training"]
    vars(layer).clear()
    vars(layer).update(held)
    vars(layer)["training"] = mode
    object.__setattr__(layer, "__class__", kind)
