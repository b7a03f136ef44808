"""Forwards that write sizes: computed, counted by attributes and lists of the layer, or as plain numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from networks import conv
from ops_support import Case, Net, Tokens
from paddle import nn


def attend(q: Any, k: Any, v: Any, scale: float) -> Any:
    """[N, heads, L, width] each -> [N, L, heads, width]."""
    return (F.softmax(q @ k.transpose([0, 1, 3, 2]) * scale) @ v).transpose([0, 2, 1, 3])


class ComputedHeads(Tokens):
    """The heads' width is computed from the stream's; the batch axis adapts."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads, self.scale = 4, 2**-0.5
        self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)

    def body(self, x: Any) -> Any:
        count, width = x.shape[1:]
        qkv = self.qkv(x).reshape((-1, count, 3, self.num_heads, width // self.num_heads)).transpose((2, 0, 3, 1, 4))
        return x + self.proj(attend(qkv[0], qkv[1], qkv[2], self.scale).reshape((-1, count, width)))


class ComputedScale(ComputedHeads):
    """The scale depends on how many heads there are: their number stays what it is."""

    def body(self, x: Any) -> Any:
        n, count, width = x.shape
        head_dim = width // self.num_heads
        q, k, v = self.qkv(x).reshape([n, count, 3, self.num_heads, head_dim]).transpose([2, 0, 3, 1, 4]).unbind(0)
        return x + self.proj(attend(q, k, v, head_dim**-0.5).reshape([n, count, width]))


class WindowBias(Tokens):
    """Attention within windows, with a bias for each offset and head."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads, self.scale = 4, 2**-0.5
        self.table = self.create_parameter([9, 4])
        self.register_buffer("offsets", paddle.to_tensor(np.arange(16).reshape(4, 4) % 9))
        self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)

    def body(self, x: Any) -> Any:
        n, count, width = x.shape
        x = x.reshape([n, 2, 2, 2, 2, width]).transpose([0, 1, 3, 2, 4, 5]).reshape([-1, 4, width])
        windows, inside, width = x.shape
        qkv = self.qkv(x).reshape([windows, inside, 3, self.num_heads, width // self.num_heads])
        q, k, v = qkv.transpose([2, 0, 3, 1, 4]).unbind(0)
        bias = paddle.index_select(self.table, self.offsets.reshape([-1])).reshape([4, 4, -1]).transpose([2, 0, 1])
        weights = F.softmax(q * self.scale @ k.transpose([0, 1, 3, 2]) + bias.unsqueeze(0))
        x = self.proj((weights @ v).transpose([0, 2, 1, 3]).reshape([windows, inside, width]))
        return x.reshape([n, 2, 2, 2, 2, width]).transpose([0, 1, 3, 2, 4, 5]).reshape([n, count, width])


class FewerKeys(Tokens):
    """Keys and values of a smaller image; an attribute is both the stream's width and the attention's."""

    def __init__(self) -> None:
        super().__init__()
        self.dim, self.heads = 8, 2
        self.q, self.kv, self.fewer, self.proj = (
            nn.Linear(8, 8),
            nn.Linear(8, 16),
            conv(8, 8, stride=2),
            nn.Linear(8, 8),
        )

    def body(self, x: Any) -> Any:
        n, count, each = x.shape[0], x.shape[1], self.dim // self.heads
        q = self.q(x).reshape([n, count, self.heads, each]).transpose([0, 2, 1, 3])
        y = self.fewer(x.transpose([0, 2, 1]).reshape([n, self.dim, 4, 4])).reshape([n, self.dim, -1])
        k, v = self.kv(y.transpose([0, 2, 1])).reshape([n, -1, 2, self.heads, each]).transpose([2, 0, 3, 1, 4])
        return x + self.proj(attend(q, k, v, each**-0.5).reshape([n, count, self.dim]))


class UnequalParts(Tokens):
    """Keys and values of different widths, split within each head."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads, self.key, self.value = 2, 3, 5
        self.qkv, self.proj = nn.Linear(8, 22), nn.Linear(10, 8)

    def body(self, x: Any) -> Any:
        n, count, _ = x.shape
        parts = self.qkv(x).reshape([n, count, self.num_heads, 22 // self.num_heads])
        q, k, v = (p.transpose([0, 2, 1, 3]) for p in paddle.split(parts, [self.key, self.key, self.value], axis=3))
        return self.proj(attend(q, k, v, 0.5).reshape([n, count, self.num_heads * self.value]))


class Untouched(Net):
    """A convolution of some channels; two attributes say how many, of a stream that others share."""

    def __init__(self) -> None:
        super().__init__(8)
        self.touched, self.rest = 3, 5
        self.a, self.b, self.c = conv(3, 3), conv(8, 6, 1), conv(6, 8, 1)

    def body(self, x: Any) -> Any:
        y, z = paddle.split(x, [self.touched, self.rest], axis=1)
        return x + self.c(F.relu(self.b(paddle.concat([self.a(y), z], axis=1))))


class Mixed(Net):
    """Depthwise convolutions of several kernel sizes, of widths in a list."""

    def __init__(self) -> None:
        super().__init__(6)
        self.widths = [4, 3, 3]
        self.a, self.b = conv(8, 10, 1), conv(10, 6, 1)
        self.each = nn.LayerList([conv(n, n, k, groups=n) for n, k in zip(self.widths, (1, 3, 5), strict=True)])

    def body(self, x: Any) -> Any:
        parts = self.a(x).split(num_or_sections=self.widths, axis=1)
        return self.b(F.relu(paddle.concat([one(part) for one, part in zip(self.each, parts, strict=True)], axis=1)))


class Objects(Net):
    """A width that is also a scale: the attribute stays, the sizes don't."""

    def __init__(self) -> None:
        super().__init__(8)
        self.keys = 6
        self.q, self.k, self.v, self.out = conv(8, 6, 1), conv(8, 6, 1), conv(8, 6, 1), conv(6, 8, 1)

    def body(self, x: Any) -> Any:
        n, _, h, w = x.shape
        q, k, v = (part(x) for part in (self.q, self.k, self.v))
        weights = F.softmax(
            self.keys**-0.5 * q.reshape([n, self.keys, -1]).transpose([0, 2, 1]) @ k.reshape([0, 6, -1])
        )
        return x + self.out(
            (weights @ v.flatten(2).transpose([0, 2, 1])).transpose([0, 2, 1]).reshape([n, self.keys, h, w])
        )


class Flatten(nn.Layer):
    """No parameters, and a width of NumPy's."""

    def __init__(self, width: Any) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Any) -> Any:
        return x.reshape([x.shape[0], self.width])


class NoParameters(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = nn.Sequential(nn.AdaptiveAvgPool2D(1), Flatten(np.int64(8))), nn.Linear(8, 6)

    def body(self, x: Any) -> Any:
        return F.relu(self.b(self.a(x))).reshape([-1, 6, 1, 1])


class HeadsInTheBatch(Tokens):
    """A size that counts heads and samples at once can't be told: there are other batches."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.proj = nn.Linear(8, 8), nn.Linear(8, 8)

    def body(self, x: Any) -> Any:
        n, count, width = x.shape
        y = self.q(x).transpose([1, 0, 2]).reshape([count, n * 4, width // 4]).transpose([1, 0, 2])
        y = (F.softmax(y @ y.transpose([0, 2, 1])) @ y).transpose([1, 0, 2])
        return self.proj(y.reshape([count, n, width]).transpose([1, 0, 2]))


OUTPUTS = "its outputs change"
CASES = (
    *(Case(ComputedHeads, {"patch": 8, "qkv": n}, attention=a) for n, a in ((4, "heads"), (2, "dims"))),
    *(
        Case(ComputedScale, {"qkv": n}, hard_coded={"patch": OUTPUTS}, attention=a)
        for n, a in ((4, "heads"), (2, "dims"))
    ),
    Case(WindowBias, {"patch": 8, "qkv": 4, "proj": 8}),
    *(Case(FewerKeys, {"patch": 8, "q": n, "fewer": 8}, attention=a) for n, a in ((2, "heads"), (4, "dims"))),
    *(Case(UnequalParts, {"patch": 8, "qkv": n, "proj": 8}, attention=a) for n, a in ((2, "heads"), (8, "dims"))),
    Case(Untouched, {"stem.0": 8, "a": 3, "b": 6}, compiled=True),
    Case(Mixed, {"stem.0": 8, "a": 10, "b": 6}),
    Case(Objects, {"stem.0": 8, "q": 6, "v": 6}),
    Case(NoParameters, {"stem.0": 8, "b": 6}),
    Case(HeadsInTheBatch, {"patch": 8, "proj": 8}, hard_coded={"q": "hard-codes its width"}),
)
