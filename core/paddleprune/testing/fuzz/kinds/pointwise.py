"""Steps that keep the axes of one value: activations, pooling, norms without weights, reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle
from paddle.nn import functional as F  # noqa: N812 (as everybody calls it)

from paddleprune.testing.fuzz.kinds.kind import Choices, Shape, always, function, rank

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": F.relu,
    "sigmoid": F.sigmoid,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "gelu": F.gelu,
    "silu": F.silu,
    "swish": F.swish,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "hardtanh": F.hardtanh,
    "tanh": paddle.tanh,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "softshrink": F.softshrink,
    "tanhshrink": F.tanhshrink,
    "log_sigmoid": F.log_sigmoid,
    "abs": paddle.abs,
    "square": paddle.square,
    "sin": paddle.sin,
    "cos": paddle.cos,
    "erf": paddle.erf,
    "atan": paddle.atan,
}


def _activated(x: Shape) -> Choices:
    return {"name": tuple(ACTIVATIONS)}


def activation(x: Any, name: str) -> Any:
    """An activation."""
    return ACTIVATIONS[name](x)


_ARITHMETIC = ("times", "plus", "one minus", "clip", "clip above", "power", "exp", "rsqrt")


def arithmetic(x: Any, what: str) -> Any:
    """With numbers that the forward holds."""
    if what == "times":
        return x * 0.5
    if what == "plus":
        return x + 1
    if what == "one minus":
        return 1 - x
    if what == "clip":
        return paddle.clip(x, -1.0, 1.0)
    if what == "clip above":
        return paddle.clip(x, min=0.1)
    if what == "power":
        return paddle.abs(x) ** 1.5
    if what == "exp":
        return paddle.exp(-paddle.abs(x))
    return paddle.rsqrt(x * x + 1)


_POOLS = {
    (3, "max"): F.max_pool1d, (4, "max"): F.max_pool2d, (5, "max"): F.max_pool3d,
    (3, "avg"): F.avg_pool1d, (4, "avg"): F.avg_pool2d, (5, "avg"): F.avg_pool3d,
}  # fmt: skip
_ADAPTIVE = {
    (3, "max"): F.adaptive_max_pool1d, (4, "max"): F.adaptive_max_pool2d, (5, "max"): F.adaptive_max_pool3d,
    (3, "avg"): F.adaptive_avg_pool1d, (4, "avg"): F.adaptive_avg_pool2d, (5, "avg"): F.adaptive_avg_pool3d,
}  # fmt: skip


def _pooled(x: Shape) -> Choices | None:
    if len(x) not in (3, 4, 5) or min(x[2:]) < 2:
        return None
    return {"how": ("max", "avg"), "stride": (2, 1)}


def pool(x: Any, how: str, stride: int) -> Any:
    """A pool of any rank."""
    return _POOLS[len(x.shape), how](x, 2, stride)


def adaptive_pool(x: Any, how: str, size: int) -> Any:
    """A pool to a size."""
    return _ADAPTIVE[len(x.shape), how](x, size)


def lp_pool(x: Any) -> Any:
    """A pool of powers."""
    return F.lp_pool2d(x, 2.0, 2, 1)


_UNPOOLS = {3: F.max_unpool1d, 4: F.max_unpool2d, 5: F.max_unpool3d}


def pool_and_unpool(x: Any) -> Any:
    """To where it was and back."""
    values, places = _POOLS[len(x.shape), "max"](x, 2, 2, return_mask=True)
    return _UNPOOLS[len(x.shape)](F.relu(values), places, 2, 2)


_MODES = {3: ("linear",), 4: ("nearest", "bilinear", "bicubic", "area"), 5: ("nearest", "trilinear")}


def _interpolated(x: Shape) -> Choices | None:
    if len(x) not in _MODES or max(x[2:]) > 8:
        return None
    return {"mode": _MODES[len(x)], "by": ("factor", "size")}


def interpolate(x: Any, mode: str, by: str) -> Any:
    """To twice the size, or to one more."""
    layout = {3: "NCW", 4: "NCHW", 5: "NCDHW"}[len(x.shape)]
    if by == "factor" and mode != "area":
        return F.interpolate(x, scale_factor=2, mode=mode, data_format=layout)
    return F.interpolate(x, size=[n + 1 for n in x.shape[2:]], mode=mode, data_format=layout)


def _padded(x: Shape) -> Choices | None:
    if len(x) not in (3, 4, 5) or min(x[2:]) < 2:
        return None
    return {"mode": ("zeros", "ones", "reflect", "replicate", "circular")}


def pad(x: Any, mode: str) -> Any:
    """One more on one side."""
    layout = {3: "NCL", 4: "NCHW", 5: "NCDHW"}[len(x.shape)]
    border = [1, 0] + [0] * (2 * (len(x.shape) - 3))
    if mode in ("zeros", "ones"):
        return F.pad(x, border, value=float(mode == "ones"), data_format=layout)
    return F.pad(x, border, mode=mode, data_format=layout)


def pad_axis(x: Any, axis: int, value: float) -> Any:
    """Two more positions of any axis, as shortcuts without weights get channels."""
    border = [0] * (2 * len(x.shape))
    border[2 * axis : 2 * axis + 2] = [1, 1]
    return F.pad(x, border, value=value, pad_from_left_axis=True)


def softmax(x: Any, axis: int, log: bool) -> Any:
    """A softmax over any axis."""
    return F.log_softmax(x, axis) if log else F.softmax(x, axis)


_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "mean": paddle.mean,
    "sum": paddle.sum,
    "max": paddle.max,
    "min": paddle.min,
    "amax": paddle.amax,
    "prod": paddle.prod,
    "logsumexp": paddle.logsumexp,
}


def _reduced(x: Shape) -> Choices:
    names = [name for name in _REDUCTIONS if len(x) <= 4 or name != "logsumexp"]
    return {"how": names, "axis": range(1, len(x)), "keep": (True, False) if len(x) > 2 else (True,)}


def reduce(x: Any, how: str, axis: int, keep: bool) -> Any:
    """Over any axis."""
    return _REDUCTIONS[how](x, axis=axis, keepdim=keep)


def global_pool(x: Any, how: str, keep: bool) -> Any:
    """Over all of space."""
    return _REDUCTIONS[how](x, axis=list(range(2, len(x.shape))), keepdim=keep)


def normalize(x: Any, axis: int) -> Any:
    """To length 1."""
    return F.normalize(x, axis=axis, epsilon=1e-3)


def cumulate(x: Any, axis: int) -> Any:
    """A running sum."""
    return paddle.cumsum(x, axis)


def center(x: Any, axis: int) -> Any:
    """Minus the mean."""
    return x - x.mean(axis=axis, keepdim=True)


def flip(x: Any, axis: int) -> Any:
    """The other way round."""
    return paddle.flip(x, [axis])


def roll(x: Any, axis: int) -> Any:
    """By one."""
    return paddle.roll(x, 1, axis)


def threshold(x: Any) -> Any:
    """A comparison and a choice."""
    return paddle.where(x > 0.1, x, paddle.full_like(x, 0.1))


def branch(x: Any) -> Any:
    """Control flow that depends on data: its sign decides."""
    return F.relu(x) if x.sum() > 0 else x * 0.5


function(activation, _activated, tidy=always)
function(arithmetic, lambda x: {"what": _ARITHMETIC}, tidy=always)
function(pool, _pooled, tidy=always)
function(adaptive_pool, rank(3, 4, 5, how=("avg", "max"), size=(1, 2)), tidy=always)
function(lp_pool, lambda x: {} if len(x) == 4 and min(x[2:]) > 1 else None, tidy=always)
function(pool_and_unpool, lambda x: {} if len(x) in (3, 4, 5) and all(n % 2 == 0 for n in x[2:]) else None, tidy=always)
function(interpolate, _interpolated, tidy=always)
function(pad, _padded, tidy=always)
function(pad_axis, lambda x: {"axis": range(1, len(x)), "value": (0.0, 1.0)})
function(softmax, lambda x: {"axis": range(1, len(x)), "log": (False, True)})
function(reduce, _reduced)
function(global_pool, rank(3, 4, 5, how=("mean", "sum", "max"), keep=(True, False)), tidy=always)
function(normalize, lambda x: {"axis": range(1, len(x))})
function(cumulate, lambda x: {"axis": range(1, len(x))})
function(center, lambda x: {"axis": range(1, len(x))})
function(flip, lambda x: {"axis": range(1, len(x))})
function(roll, lambda x: {"axis": range(1, len(x))})
function(threshold, lambda x: {})
function(branch, lambda x: {})
