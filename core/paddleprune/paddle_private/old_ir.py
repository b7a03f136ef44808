"""The old IR, which PaddleSlim and Paddle Lite's converter read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import paddle


@contextmanager
def tracing() -> Iterator[None]:
    """While open, networks are traced into the old IR; afterwards the process has PIR again."""
    places = _places_of_functions()
    replaced = [(place, name, vars(place)[name]) for place in places for name in _ROUTES if name in vars(place)]
    try:
        for place, name, plain in replaced:
            setattr(place, name, _routed(_ROUTES[name], plain))
        with paddle.pir_utils.OldIrGuard():
            yield
    finally:
        for place, name, plain in replaced:
            setattr(place, name, plain)
        paddle.disable_static()  # which a trace that fails doesn't


def _routed(route: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    """The function that knows only PIR, and for the old IR's variables the operation that it stood for."""

    def call(*args: Any, **given: Any) -> Any:
        old = any(isinstance(value, paddle.static.Variable) for value in (*args, *given.values()))
        return (route if old else plain)(*args, **given)

    return call


def _unary(kind: str) -> Callable[..., Any]:
    return lambda x, name=None, **_: _append(kind, {"X": x})


def _binary(kind: str) -> Callable[..., Any]:
    return lambda x, y, name=None, **_: _append(kind, {"X": x, "Y": y}, {"axis": -1})


def _matmul(x: Any, y: Any, transpose_x: bool = False, transpose_y: bool = False, name: Any = None, **_: Any) -> Any:
    return _append("matmul_v2", {"X": x, "Y": y}, {"trans_x": transpose_x, "trans_y": transpose_y})


def _sum(x: Any, axis: Any = None, dtype: Any = None, keepdim: bool = False, name: Any = None, **_: Any) -> Any:
    axes = [] if axis is None else [axis] if isinstance(axis, int) else list(axis)
    return _append("reduce_sum", {"X": x}, {"dim": axes or [0], "keep_dim": keepdim, "reduce_all": not axes})


def name_mode_guard() -> None:
    """Give the guard of Paddle's modes the name, too, that it had before Paddle 3."""
    base = import_module("paddle.base.dygraph.base")
    if not hasattr(base, "_to_static_mode_guard_"):
        vars(base)["_to_static_mode_guard_"] = base.to_static_mode_guard


def _append(kind: str, inputs: Mapping[str, Any], attributes: Mapping[str, Any] | None = None) -> Any:
    """Append an operation to the old IR's program; its result."""
    helper = paddle.base.layer_helper.LayerHelper(kind)
    out = helper.create_variable_for_type_inference(next(iter(inputs.values())).dtype)
    helper.append_op(type=kind, inputs=dict(inputs), outputs={"Out": out}, attrs=dict(attributes or {}))
    return out


def _places_of_functions() -> tuple[Any, ...]:
    """The modules and classes in which Paddle's own code looks for tensor functions."""
    functional, tensor = paddle.nn.functional, paddle.tensor
    variable = paddle.static.Variable
    return (paddle._C_ops, variable, tensor.math, tensor.linalg, functional.activation, functional.common)


_ROUTES: Mapping[str, Callable[..., Any]] = {
    "multiply": _binary("elementwise_mul"),
    "maximum": _binary("elementwise_max"),
    "minimum": _binary("elementwise_min"),
    **{
        kind: _unary(kind)
        for kind in ("sigmoid", "tanh", "exp", "log", "log2", "sqrt", "rsqrt", "abs", "floor", "sin", "cos")
    },
    "gelu": lambda x, approximate=False, name=None: _append("gelu", {"X": x}, {"approximate": bool(approximate)}),
    "softplus": lambda x, beta=1.0, threshold=20.0, name=None: _append(
        "softplus", {"X": x}, {"beta": float(beta), "threshold": float(threshold)}
    ),
    "matmul": _matmul,
    "bmm": lambda x, y, name=None: _append("bmm", {"X": x, "Y": y}),
    "sum": _sum,
}
"""Tensor functions that came to accept PIR only, and the old operation that each stands for."""
