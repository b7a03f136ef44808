"""Operations at which Paddle 3.3's oneDNN fails, written with others: PaddleX has it on, and no file can say otherwise.

What they are `runtimes.inference` says, which leaves oneDNN's passes out for them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import paddle

from paddleprune.exports.rewriting import Operation, leaky_relu, rewriting
from paddleprune.interfaces import Array

_AXES = 4
"""Of images in a batch."""


def for_onednn() -> AbstractContextManager[None]:
    """While open, whatever is traced has none of the operations at which oneDNN fails."""
    interpolations = {f"{mode}_interp": partial(_interpolation, mode) for mode in ("bilinear", "nearest")}
    return rewriting({"leaky_relu": leaky_relu, **interpolations})


def _interpolation(mode: str, operation: Operation, x: Any, *given: Any) -> Any:
    """Its list of factors isn't read. Along each axis the two nearest places are mixed, or the nearest is taken."""
    layout, _, height, width, factors, _, corners, align = given[3:]
    if layout != "NCHW" or len(x.shape) != _AXES or min(x.shape[2:]) < 1 or corners or any(map(_is_there, given[:3])):
        return operation(x, *given)
    for axis, after, factor in zip((2, 3), (height, width), factors or (None, None), strict=True):
        x = _along(x, axis, _places(mode, x.shape[axis], after, factor, align))
    return x


def _along(x: Any, axis: int, places: Array) -> Any:
    """What lies at fractional places along an axis."""
    below = np.floor(places)
    shares = (places - below).astype(np.float32)
    low = x.index_select(paddle.to_tensor(below.astype(np.int64)), axis)
    if not shares.any():
        return low
    above = np.minimum(below + 1, x.shape[axis] - 1)
    high = x.index_select(paddle.to_tensor(above.astype(np.int64)), axis)
    shape = [-1 if axis == number else 1 for number in range(_AXES)]
    return low + (high - low) * paddle.to_tensor(shares).reshape(shape)


def _is_there(given: Any) -> bool:
    return given is not None and not (isinstance(given, list) and not given)


def _places(mode: str, before: int, after: int, factor: float | None, align: int) -> Array:
    """Where each place along an axis comes from, [after].

    Args:
        mode: "bilinear" or "nearest".
        before: places.
        after: places, if there is no factor.
        factor: of the sides.
        align: 0: places are the middles of pixels; 1: their beginnings.
    """
    after = after if factor is None else int(before * factor)
    step = before / after if factor is None else 1 / factor
    numbers = np.arange(after, dtype=np.float64)
    if mode == "nearest":
        return np.minimum(np.floor(numbers * step), before - 1)
    return np.clip((numbers + 0.5) * step - 0.5 if align == 0 else numbers * step, 0, before - 1)
