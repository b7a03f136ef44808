"""Operations that paddle2onnx 2.1 converts wrongly or not at all, written with others that it converts rightly.

And one that OpenVINO 2026.4 computes wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import paddle
from paddle.nn import functional

from paddleprune.exports.rewriting import Operation, leaky_relu, rewriting
from paddleprune.paddle_private.programs import OPERATIONS

_ADAPTIVE, _KIND, _LAYOUT = 7, 5, 4
"""Places of `pool2d`'s arguments after the sizes."""


def rewritten() -> AbstractContextManager[None]:
    """While open, whatever is traced has the operations below instead; they compute the same, but for rounding."""
    return rewriting(_REWRITES)


def _hardtanh(_: Operation, x: Any, low: float, high: float) -> Any:
    """So would its limits."""
    return x.clip(low, high)


def _group_norm(operation: Operation, x: Any, weight: Any, bias: Any, epsilon: float, groups: int, layout: str) -> Any:
    """So would its epsilon."""
    if layout.endswith("C") or min(x.shape[1:]) < 1:
        return operation(x, weight, bias, epsilon, groups, layout)
    parts = x.reshape([0, groups, -1])
    parts = parts - parts.mean(2, keepdim=True)
    normal = (parts / (parts.square().mean(2, keepdim=True) + epsilon).sqrt()).reshape([0, *x.shape[1:]])
    each = [1, -1, *[1] * (len(x.shape) - 2)]
    if weight is not None:
        normal = normal * weight.reshape(each)
    return normal if bias is None else normal + bias.reshape(each)


def _pool2d(operation: Operation, x: Any, sizes: Any, *more: Any) -> Any:
    """Adaptive windows that don't divide the map would become others."""
    axes = (2, 3) if more[_LAYOUT] == "NCHW" else (1, 2)
    if more[_ADAPTIVE] and _uneven(x, axes, sizes):
        return _windows(x, axes, sizes, paddle.max if more[_KIND] == "max" else paddle.mean)
    return operation(x, sizes, *more)


def _max_pool2d(operation: Operation, x: Any, sizes: Any, *more: Any) -> Any:
    """Likewise; the places of the maxima, which it gives as well, are left out then."""
    adaptive = more[3]
    if adaptive and _uneven(x, (2, 3), sizes):
        return _windows(x, (2, 3), sizes, paddle.max), None
    return operation(x, sizes, *more)


def _uneven(x: Any, axes: tuple[int, int], sizes: Any) -> bool:
    known = all(isinstance(count, int) for count in sizes) and all(x.shape[axis] > 0 for axis in axes)
    return known and any(x.shape[axis] % count for axis, count in zip(axes, sizes, strict=True))


def _windows(x: Any, axes: tuple[int, int], sizes: Sequence[int], pool: Operation) -> Any:
    """Pool along one axis after the other: window i of n is from ⌊i·size/n⌋ to ⌈(i+1)·size/n⌉."""
    for axis, count in zip(axes, sizes, strict=True):
        size = x.shape[axis]
        edges = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        parts = [pool(paddle.slice(x, [axis], [low], [high]), axis=axis, keepdim=True) for low, high in edges]
        x = paddle.concat(parts, axis)
    return x


def _pad3d(operation: Operation, x: Any, pad: Any, mode: str, value: float, layout: str) -> Any:
    """A constant would become whatever lies in memory; `pad`, of any axes, keeps it."""
    if mode != "constant" or not isinstance(pad, (list, tuple)) or not all(isinstance(n, int) for n in pad):
        return operation(x, pad, mode, value, layout)
    places = [n for low in range(len(pad) - 2, -1, -2) for n in pad[low : low + 2]]  # the last axis is given first
    whole = [0, 0, *places, 0, 0] if layout.endswith("C") else [0, 0, 0, 0, *places]
    return OPERATIONS.pad(x, whole, float(value))


def _interpolation(operation: Operation, x: Any, *given: Any) -> Any:
    """A list of factors isn't read; where they give whole sizes, those say the same."""
    out_size, sizes, factor, layout, depth, height, width, factors, *more = given
    places = x.shape[1:-1] if layout.endswith("C") else x.shape[2:]
    if factors and min(places) > 0:
        wanted = [size * by for size, by in zip(places, factors, strict=True)]
        if all(float(size).is_integer() for size in wanted):
            depth, height, width = [depth, height, width][: 3 - len(wanted)] + [int(size) for size in wanted]
            factors = []
    return operation(x, out_size, sizes, factor, layout, depth, height, width, factors, *more)


def _picked(operation: Operation, x: Any, numbers: Any, axis: Any, **more: Any) -> Any:
    """All channels in another order, before a convolution: OpenVINO takes the weights in a wrong order.

    It doesn't where some of the channels are picked, so they are picked in two parts.
    """
    all_channels = isinstance(axis, int) and axis == 1 and list(numbers.shape) == [x.shape[1]]
    half = x.shape[1] // 2 if all_channels else 0
    if half < 1:
        return operation(x, numbers, axis, **more)
    return paddle.concat([operation(x, part, axis) for part in (numbers[:half], numbers[half:])], axis)


def _roi_align(
    operation: Operation,
    x: Any,
    boxes: Any,
    counts: Any,
    height: int,
    width: int,
    scale: float,
    ratio: int,
    aligned: bool,
) -> Any:
    """All boxes would be taken from the first image, and below opset 16 half a pixel beside.

    Bilinear samples are products with a matrix along each axis: first the rows of the box's own image, then columns.
    """
    if ratio < 1:  # as many samples as the box is large
        return operation(x, boxes, counts, height, width, scale, ratio, aligned)
    _, channels, rows, columns = x.shape
    edges = boxes * scale - (0.5 if aligned else 0.0)
    down = _samples(edges[:, 1], edges[:, 3], rows, height, ratio, aligned)
    along = _samples(edges[:, 0], edges[:, 2], columns, width, ratio, aligned)
    ends, place = counts.astype("float32").cumsum(0), paddle.ones_like(boxes[:, :1]).cumsum(0)
    mine = (place <= ends).astype("float32") * (place > ends - counts.astype("float32")).astype("float32")
    down = (down.unsqueeze(2) * mine.unsqueeze(1).unsqueeze(3)).flatten(2, 3).flatten(0, 1)
    found = down.matmul(x.transpose([0, 2, 1, 3]).reshape([-1, channels * columns]))
    found = found.reshape([-1, height, channels, columns]).transpose([0, 2, 1, 3])
    return found.matmul(along.transpose([0, 2, 1]).unsqueeze(1))


def _samples(low: Any, high: Any, size: int, bins: int, ratio: int, aligned: bool) -> Any:
    """What each place along an axis has in each bin of a box, [R, bins, size]: `ratio` samples a bin, averaged."""
    side = high - low if aligned else (high - low).clip(min=1.0)
    steps = paddle.to_tensor((np.arange(bins * ratio, dtype=np.float32) + 0.5) / (bins * ratio))
    at = (low.unsqueeze(1) + side.unsqueeze(1) * steps).unsqueeze(2)
    inside = (at >= -1.0).astype("float32") * (at <= float(size)).astype("float32")
    grid = paddle.to_tensor(np.arange(size, dtype=np.float32))
    shares = functional.relu(1 - (at.clip(0.0, size - 1.0) - grid).abs()) * inside
    return shares.reshape([-1, bins, ratio, size]).mean(2)


_REWRITES: dict[str, Operation] = {
    "leaky_relu": leaky_relu,
    "hardtanh": _hardtanh,
    "group_norm": _group_norm,
    "pool2d": _pool2d,
    "max_pool2d_with_index": _max_pool2d,
    "pad3d": _pad3d,
    "roi_align": _roi_align,
    "index_select": _picked,
    "gather": _picked,
    **{f"{mode}_interp": _interpolation for mode in ("linear", "bilinear", "trilinear", "nearest", "bicubic")},
}
