"""Steps whose forwards write the sizes that they were built with, or compute them from other streams."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812

from paddleprune.testing.fuzz.kinds.kind import Choices, Shape, always, divisors, layer


class ComputedHeads(nn.Layer):
    """A self-attention that computes the heads' width from its input's."""

    def __init__(self, width: int, heads: int, how: str) -> None:
        super().__init__()
        self.num_heads, self.adapts = heads, how == "batch adapts"
        self.scale = None if how == "scale computed" else (width // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Any) -> Any:
        """[N, L, C] -> the same shape."""
        n, length, width = x.shape
        n, each = -1 if self.adapts else n, width // self.num_heads
        q, k, v = self.qkv(x).reshape([n, length, 3, self.num_heads, each]).transpose([2, 0, 3, 1, 4]).unbind(0)
        scale = each**-0.5 if self.scale is None else self.scale
        y = paddle.matmul(F.softmax(paddle.matmul(q, k, transpose_y=True) * scale, -1), v)
        return self.proj(y.transpose([0, 2, 1, 3]).reshape((n, length, width)))


def _headed(x: Shape) -> Choices | None:
    if len(x) != 3 or x[2] < 2:
        return None
    return {"heads": divisors(x[2])[1:], "how": ("asked", "batch adapts", "scale computed")}


@layer(_headed)
def computed_heads(x: Shape, heads: int, how: str) -> nn.Layer:
    """Attention as it is published."""
    return ComputedHeads(x[2], heads, how)


class Parts(nn.Layer):
    """Two parts of the channels, of sizes in two attributes, in a list or as a number."""

    def __init__(self, channels: int, first: int, how: str) -> None:
        super().__init__()
        self.first, self.rest, self.sizes, self.how = first, channels - first, [first, channels - first], how

    def forward(self, x: Any) -> Any:
        """The same shape."""
        if self.how == "attributes":
            a, b = paddle.split(x, [self.first, self.rest], 1)
        elif self.how == "list":
            a, b = x.split(self.sizes, axis=1)
        else:
            a, b = paddle.split(x, num_or_sections=[0 + self.first, -1], axis=1)
        return paddle.concat([b, F.relu(a)], 1)


def _parted(x: Shape) -> Choices | None:
    if len(x) < 2 or x[1] < 4:
        return None
    return {"first": range(2, x[1] - 1), "how": ("attributes", "list", "number")}


@layer(_parted, tidy=always)
def parts(x: Shape, first: int, how: str) -> nn.Layer:
    """Unequal parts."""
    return Parts(x[1], first, how)


class Positions(nn.Layer):
    """All positions to one axis, beside a number of channels that was given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = {"count": channels}

    def forward(self, x: Any) -> Any:
        """[N, C, ...] -> [N, C, L]."""
        return x.reshape([x.shape[0], self.channels["count"], -1])


@layer(lambda x: {} if len(x) > 3 else None, tidy=always)
def positions(x: Shape) -> nn.Layer:
    """A width from outside."""
    return Positions(x[1])


class Sliced(nn.Layer):
    """Some channels at the front change, by slices of a width that was given."""

    def __init__(self, channels: int, first: int, how: str) -> None:
        super().__init__()
        self.first, self.rest, self.how = first, channels - first, how

    def forward(self, x: Any) -> Any:
        """The same shape."""
        if self.how == "cut":
            return paddle.concat([F.relu(x[:, : self.first]), x[:, self.first :]], 1)
        if self.how == "from the end":
            return paddle.concat([x[:, -self.rest :], F.relu(x[:, : -self.rest])], 1)
        if self.how == "made":
            y = paddle.zeros([x.shape[0], self.first + self.rest, *x.shape[2:]])
            y[:, : self.first] = F.relu(x[:, : self.first])
        else:
            y = x * 1.0
        y[:, self.first :] += x[:, self.first :]
        return y


def _sliced(x: Shape) -> Choices | None:
    chosen = _parted(x)
    return None if chosen is None else {**chosen, "how": ("cut", "from the end", "made", "in place")}


@layer(_sliced, tidy=lambda x: len(x) == 4)
def sliced(x: Shape, first: int, how: str) -> nn.Layer:
    """Unequal parts, in place or not."""
    return Sliced(x[1], first, how)


class Beside(nn.Layer):
    """More channels beside those that come, or a number on each of them, in sizes that were given."""

    def __init__(self, channels: int, more: int, how: str) -> None:
        super().__init__()
        self.channels, self.more, self.how = channels, more, how

    def forward(self, x: Any) -> Any:
        """[N, C, ...] -> [N, C + more, ...] or the same shape."""
        n, _, *rest = x.shape
        if self.how == "zeros":
            return paddle.concat([x, paddle.zeros([n, self.more, *rest])], 1)
        if self.how == "expanded":
            return x * paddle.ones([n, 1, *rest]).expand([n, self.channels, *rest])
        return x + paddle.tile(paddle.ones([n, 1, *rest]), [1, self.channels] + [1 for _ in rest])


@layer(lambda x: {"more": range(1, 5), "how": ("zeros", "expanded", "tiled")} if len(x) > 1 else None, tidy=always)
def beside(x: Shape, more: int, how: str) -> nn.Layer:
    """What is made in a forward meets channels."""
    return Beside(x[1], more, how)


def unfolded(x: Any, channels: int) -> Any:
    """All positions to one axis."""
    return x.reshape([x.shape[0], channels, -1])


class Helped(nn.Layer):
    """All positions to one axis and back, by functions outside of the layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Any) -> Any:
        """The same shape."""
        return _folded(F.relu(unfolded(x, self.channels)), x.shape[1:])


def _folded(x: Any, shape: Any) -> Any:
    return x.reshape([x.shape[0], *shape])


@layer(lambda x: {} if len(x) > 3 else None, tidy=always)
def helped(x: Shape) -> nn.Layer:
    """A width that goes through helpers."""
    return Helped(x[1])
