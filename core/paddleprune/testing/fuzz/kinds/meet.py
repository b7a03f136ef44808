"""Steps that take several values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle
from paddle.nn import functional as F  # noqa: N812

from paddleprune.testing.fuzz.kinds.kind import Choices, Shape, always, function

_SIDES: dict[str, Callable[[Any, Any], Any]] = {
    "add": paddle.add,
    "multiply": paddle.multiply,
    "subtract": lambda x, y: x - 0.5 * y,  # a value minus itself is nothing but rounding
    "maximum": paddle.maximum,
    "minimum": paddle.minimum,
}


def _broadcast(x: Shape, y: Shape) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(x[::-1], y[::-1], strict=False))


def _meeting(x: Shape, y: Shape) -> Choices | None:
    """Sides of any shapes that broadcast; the batch axis must meet the batch axis."""
    if len(x) != len(y) or not _broadcast(x, y):
        return None
    return {"how": (*_SIDES, "divide", "where", "add_n") if x == y else (*_SIDES, "divide")}


def meet(x: Any, y: Any, how: str) -> Any:
    """Position by position, with broadcasting."""
    if how == "divide":
        return x / (1 + y * y)
    if how == "where":
        return paddle.where(x > y, x, y)
    if how == "add_n":
        return paddle.add_n([x, y, x])
    return _SIDES[how](x, y)


def join(x: Any, y: Any, how: str) -> Any:
    """A residual connection: two values of the same shape."""
    return _SIDES[how](x, y)


def _gated(x: Shape, y: Shape) -> Choices | None:
    fits = len(x) == len(y) > 2 and x[:2] == y[:2] and all(n == 1 for n in y[2:])
    return {"how": ("sigmoid", "softplus", "relu")} if fits else None


def gate(x: Any, y: Any, how: str) -> Any:
    """Channels times numbers between 0 and 1."""
    return x * getattr(F, how)(y)


def _concatenated(x: Shape, y: Shape) -> Choices | None:
    if len(x) != len(y):
        return None
    axes = [i for i in range(1, len(x)) if x[:i] + x[i + 1 :] == y[:i] + y[i + 1 :]]
    return {"axis": axes, "negative": (False, True)} if axes else None


def concat(x: Any, y: Any, axis: int, negative: bool) -> Any:
    """Beside each other along any axis."""
    return paddle.concat([x, y], axis - len(x.shape) if negative else axis)


def concat_channels(x: Any, y: Any) -> Any:
    """Beside each other along the channels."""
    return paddle.concat([x, y], axis=1)


def stack(x: Any, y: Any, axis: int) -> Any:
    """Beside each other along a new axis."""
    return paddle.stack([x, y], axis)


def stack_and_reduce(x: Any, y: Any, how: str) -> Any:
    """Several values to one."""
    return getattr(paddle.stack([x, y, x * y], axis=1), how)(axis=1)


def _products(x: Shape, y: Shape) -> Choices | None:
    if len(x) != len(y) or len(x) < 3 or x[:-2] != y[:-2]:
        return None
    fits = [how for how, i, j in (("x y", -1, -2), ("x y'", -1, -1), ("x' y", -2, -2)) if x[i] == y[j]]
    return {"how": fits} if fits else None


def product(x: Any, y: Any, how: str) -> Any:
    """A matrix product of two values."""
    return paddle.matmul(x, y, transpose_x="x'" in how, transpose_y="y'" in how) * 0.3


_EQUATIONS = {"ncl,ncm->nlm": (1, 1), "nlc,nmc->nlm": (2, 2), "nlc,nlc->nl": (0, 0), "ncl,ncl->nc": (0, 0)}


def _einsum(x: Shape, y: Shape) -> Choices | None:
    if len(x) != 3 or len(y) != 3:
        return None
    fits = [equation for equation, (i, j) in _EQUATIONS.items() if (x == y if i == 0 else x[i] == y[j])]
    return {"equation": fits} if fits else None


def einsum(x: Any, y: Any, equation: str) -> Any:
    """A product in Einstein's notation."""
    return paddle.einsum(equation, x, y) * 0.3


def _expanded(x: Shape, y: Shape) -> Choices | None:
    fits = (
        len(x) == len(y) > 2
        and _broadcast(x, y)
        and x[1] == y[1]
        and all(b in (a, b) for a, b in zip(x, y, strict=True))
    )
    return {} if fits and all(a in (1, b) for a, b in zip(x[1:], y[1:], strict=True)) else None


def expand_as(x: Any, y: Any) -> Any:
    """Repeat one to the shape of the other, and put them together."""
    return paddle.concat([x.expand_as(y), y], axis=1)


function(meet, _meeting, takes=2)
function(join, lambda x, y: {"how": tuple(_SIDES)} if x == y else None, takes=2, tidy=always)
function(gate, _gated, takes=2, tidy=always)
function(concat, _concatenated, takes=2)
function(concat_channels, lambda x, y: {} if len(x) == len(y) and x[2:] == y[2:] else None, takes=2, tidy=always)
function(stack, lambda x, y: {"axis": range(1, len(x) + 1)} if x == y and len(x) < 5 else None, takes=2)
function(stack_and_reduce, lambda x, y: {"how": ("mean", "sum", "max")} if x == y and len(x) < 5 else None, takes=2)
function(product, _products, takes=2)
function(einsum, _einsum, takes=2)
function(expand_as, _expanded, takes=2)
