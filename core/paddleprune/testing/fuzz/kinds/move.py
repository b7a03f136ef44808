"""Steps that move, cut and repeat positions. Widths come from `x.shape`, never from outside."""

from __future__ import annotations

import itertools
from typing import Any

import paddle
from paddle.nn import functional as F  # noqa: N812

from paddleprune.testing.fuzz.kinds.kind import Choices, Shape, always, divisors, function, rank


def flatten(x: Any, start: int) -> Any:
    """The last axes to one."""
    return paddle.flatten(x, start)


def to_vector(x: Any, how: str) -> Any:
    """Everything to one axis, as before a classifier."""
    if how == "flatten":
        return x.flatten(1)
    if how == "minus one":
        return x.reshape([x.shape[0], -1])
    size = 1
    for n in x.shape[1:]:
        size = size * n
    return x.reshape([-1, size])


def _merged(x: Shape) -> Choices | None:
    return {"axis": range(1, len(x) - 1), "how": ("minus one", "computed")} if len(x) > 2 else None


def merge(x: Any, axis: int, how: str) -> Any:
    """Two axes to one."""
    size = -1 if how == "minus one" else x.shape[axis] * x.shape[axis + 1]
    return x.reshape([*x.shape[:axis], size, *x.shape[axis + 2 :]])


def _divided(x: Shape) -> Choices | None:
    wanted = {(i, g) for i in range(1, len(x)) for g in divisors(x[i])[1:-1]}
    if len(x) > 4 or not wanted:
        return None
    return {"where": sorted(wanted), "how": ("outer adapts", "inner adapts")}


def divide_axis(x: Any, where: tuple[int, int], how: str) -> Any:
    """An axis to two: one of a fixed size, one that adapts."""
    axis, size = where
    parts = [-1, size] if how == "outer adapts" else [size, -1]
    return x.reshape([*x.shape[:axis], *parts, *x.shape[axis + 1 :]])


def _permuted(x: Shape) -> Choices | None:
    orders = list(itertools.permutations(range(1, len(x))))[1:]
    return {"order": orders} if 3 <= len(x) <= 5 else None


def transpose(x: Any, order: tuple[int, ...]) -> Any:
    """Axes trade places, but for the batch's."""
    return x.transpose([0, *order])


def squeeze(x: Any, axis: int) -> Any:
    """An axis of size 1 goes."""
    return paddle.squeeze(x, axis)


def unsqueeze(x: Any, axis: int) -> Any:
    """An axis of size 1 comes."""
    return paddle.unsqueeze(x, axis)


def to_tokens(x: Any) -> Any:
    """[N, C, H, W] -> [N, H W, C]."""
    return x.flatten(2).transpose([0, 2, 1])


def to_image(x: Any, height: int) -> Any:
    """[N, L, C] -> [N, C, H, W]."""
    return x.transpose([0, 2, 1]).reshape([x.shape[0], x.shape[2], height, -1])


def _split(x: Shape) -> Choices | None:
    wanted = [(i, n) for i in range(1, len(x)) for n in divisors(x[i])[1:3]]
    return {"where": wanted, "how": ("split", "chunk")} if wanted else None


def split(x: Any, where: tuple[int, int], how: str) -> Any:
    """Equal parts of any axis."""
    axis, parts = where
    return paddle.split(x, parts, axis) if how == "split" else paddle.chunk(x, parts, axis)


def split_channels(x: Any, parts: int) -> Any:
    """Equal parts of the channels."""
    return paddle.split(x, parts, 1)


def split_sizes(x: Any, axis: int) -> Any:
    """Two parts whose sizes are computed."""
    half = (x.shape[axis] + 1) // 2
    return paddle.split(x, [half, x.shape[axis] - half], axis) if x.shape[axis] > 1 else [x]


def unbind(x: Any, axis: int) -> Any:
    """Every position of an axis for itself, added up."""
    parts = paddle.unbind(x, axis)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


_SLICES = ("first half", "second half", "all but the first", "the last", "every other", "the first", "mask")


def cut(x: Any, axis: int, which: str) -> Any:
    """Part of an axis."""
    x = x if axis == 1 else x.transpose(_swapped(len(x.shape), axis))
    if which == "first half":
        x = x[:, : (x.shape[1] + 1) // 2]
    elif which == "second half":
        x = x[:, x.shape[1] // 2 :]
    elif which == "all but the first":
        x = x[:, 1:] if x.shape[1] > 1 else x
    elif which == "the last":
        x = x[:, -1:]
    elif which == "every other":
        x = x[:, ::2]
    elif which == "the first":
        return x[:, 0]
    else:
        x = x[:, :-1] if x.shape[1] > 1 else x
    return x if axis == 1 else x.transpose(_swapped(len(x.shape), axis))


def _swapped(rank: int, axis: int) -> list[int]:
    order = list(range(rank))
    order[1], order[axis] = axis, 1
    return order


def tile(x: Any, axis: int, times: int) -> Any:
    """The whole twice along an axis."""
    return paddle.tile(x, [times if i == axis else 1 for i in range(len(x.shape))])


def _widened(x: Shape) -> Choices | None:
    return {"axis": [i for i in range(1, len(x)) if x[i] == 1], "size": (2, 4)} if 1 in x[1:] else None


def expand(x: Any, axis: int, size: int) -> Any:
    """An axis of size 1 repeats."""
    return paddle.expand(x, [size if i == axis else -1 for i in range(len(x.shape))])


def pixel_shuffle(x: Any) -> Any:
    """Channels to positions."""
    return F.pixel_shuffle(x, 2)


def pixel_unshuffle(x: Any) -> Any:
    """Positions to channels."""
    return F.pixel_unshuffle(x, 2)


def _shuffled(x: Shape) -> Choices | None:
    if len(x) != 4 or len(divisors(x[1])) < 3:
        return None
    return {"groups": divisors(x[1])[1:-1], "how": ("by hand", "built in")}


def channel_shuffle(x: Any, groups: int, how: str) -> Any:
    """As ShuffleNet does it."""
    if how == "built in":
        return F.channel_shuffle(x, groups)
    n, c, h, w = x.shape
    return x.reshape([n, groups, c // groups, h, w]).transpose([0, 2, 1, 3, 4]).reshape([n, c, h, w])


def unfold(x: Any) -> Any:
    """Windows: [N, C k k, L]."""
    return F.unfold(x, 2)


def windows(x: Any) -> Any:
    """Quarters of an image as images of their own, with a convolution's width kept: [4 N, C, H/2, W/2]."""
    n, c, h, w = x.shape
    x = F.max_pool2d(x, 3, 1, 1).reshape([n, c, 2, h // 2, 2, w // 2]).transpose([0, 2, 4, 1, 3, 5])
    x = F.relu(x.reshape([-1, c, h // 2, w // 2]) - 0.1)
    x = x.reshape([n, 2, 2, c, h // 2, w // 2]).transpose([0, 3, 1, 4, 2, 5])
    return x.reshape([n, c, h, w])


def shape_arithmetic(x: Any) -> Any:
    """Sizes as tensors."""
    size = paddle.shape(x)
    return x.reshape([size[0], -1]).reshape(size)


function(flatten, lambda x: {"start": range(1, len(x) - 1)} if len(x) > 2 else None)
function(to_vector, rank(3, 4, 5, how=("flatten", "minus one", "computed")), tidy=always)
function(merge, _merged)
function(divide_axis, _divided)
function(transpose, _permuted)
function(squeeze, lambda x: {"axis": [i for i in range(1, len(x)) if x[i] == 1]} if 1 in x[1:] and len(x) > 2 else None)
function(unsqueeze, lambda x: {"axis": range(1, len(x) + 1)} if len(x) < 5 else None)
function(to_tokens, rank(4), tidy=lambda x: False)
function(to_image, lambda x: {"height": divisors(x[1])} if len(x) == 3 else None)
function(split, _split)
function(split_channels, lambda x: {"parts": divisors(x[1])[1:3]} if x[1] > 1 else None, tidy=always)
function(split_sizes, lambda x: {"axis": range(1, len(x))} if max(x[1:]) > 1 else None)
function(
    unbind, lambda x: {"axis": [i for i in range(1, len(x)) if x[i] <= 4]} if min(x[1:]) <= 4 and len(x) > 2 else None
)
function(cut, lambda x: {"axis": range(1, min(len(x), 4)), "which": _SLICES if len(x) > 2 else _SLICES[:5]})
function(tile, lambda x: {"axis": range(1, len(x)), "times": (2,)})
function(expand, _widened)
function(pixel_shuffle, lambda x: {} if len(x) == 4 and x[1] % 4 == 0 and max(x[2:]) <= 8 else None, tidy=always)
function(
    pixel_unshuffle,
    lambda x: {} if len(x) == 4 and x[2] % 2 == 0 and x[3] % 2 == 0 and x[1] <= 8 else None,
    tidy=always,
)
function(channel_shuffle, _shuffled)
function(unfold, lambda x: {} if len(x) == 4 and min(x[2:]) > 1 and x[1] <= 6 else None)
function(windows, lambda x: {} if len(x) == 4 and x[2] % 2 == 0 and x[3] % 2 == 0 else None)
function(shape_arithmetic, lambda x: {})
