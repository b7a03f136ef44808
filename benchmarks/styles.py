"""Small networks whose forwards write sizes as published ones do: computed, in attributes, in lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812

WIDTH, SIDE = 32, 8


class Attention(nn.Layer):
    """The heads' width is computed from the stream's; keys and values may come from a smaller image."""

    def __init__(self, fewer: int = 1) -> None:
        super().__init__()
        self.num_heads, self.fewer, self.scale = 4, fewer, (WIDTH // 4) ** -0.5
        self.q, self.kv, self.proj = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.smaller = nn.Conv2D(WIDTH, WIDTH, fewer, fewer) if fewer > 1 else None

    def forward(self, x: Any) -> Any:
        n, count, width = x.shape
        q = self.q(x).reshape([n, count, self.num_heads, width // self.num_heads]).transpose([0, 2, 1, 3])
        if self.fewer > 1:
            x = self.smaller(x.transpose([0, 2, 1]).reshape([n, width, SIDE, SIDE])).reshape([n, width, -1])
            x = x.transpose([0, 2, 1])
        kv = self.kv(x).reshape([n, -1, 2, self.num_heads, width // self.num_heads]).transpose([2, 0, 3, 1, 4])
        weights = F.softmax(q @ kv[0].transpose([0, 1, 3, 2]) * self.scale)
        return self.proj((weights @ kv[1]).transpose([0, 2, 1, 3]).reshape([n, count, width]))


class Windows(nn.Layer):
    """Attention within windows of 4 by 4, with a bias for each head."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads, self.scale = 4, (WIDTH // 4) ** -0.5
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.bias = self.create_parameter([4, 16, 16])

    def forward(self, x: Any) -> Any:
        n, count, width = x.shape
        x = x.reshape([n, SIDE // 4, 4, SIDE // 4, 4, width]).transpose([0, 1, 3, 2, 4, 5]).reshape([-1, 16, width])
        windows, inside, width = x.shape
        qkv = self.qkv(x).reshape([windows, inside, 3, self.num_heads, width // self.num_heads])
        q, k, v = qkv.transpose([2, 0, 3, 1, 4]).unbind(0)
        y = F.softmax(q @ k.transpose([0, 1, 3, 2]) * self.scale + self.bias.unsqueeze(0)) @ v
        y = self.proj(y.transpose([0, 2, 1, 3]).reshape([windows, inside, width]))
        y = y.reshape([n, SIDE // 4, SIDE // 4, 4, 4, width]).transpose([0, 1, 3, 2, 4, 5])
        return y.reshape([n, count, width])


class Block(nn.Layer):
    """A block of a transformer."""

    def __init__(self, attention: nn.Layer) -> None:
        super().__init__()
        self.attention, self.norm1, self.norm2 = attention, nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.widen, self.back = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.norm1(x))
        return x + self.back(F.gelu(self.widen(self.norm2(x))))


class Tokens(nn.Layer):
    """An image as tokens, blocks and a head."""

    def __init__(self, blocks: list[nn.Layer]) -> None:
        super().__init__()
        self.patch, self.blocks = nn.Conv2D(3, WIDTH, 4, 4), nn.Sequential(*blocks)
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, x: Any) -> Any:
        return self.head(self.norm(self.blocks(self.patch(x).flatten(2).transpose([0, 2, 1]))).mean(1))


class Parts(nn.Layer):
    """A residual block that convolves some channels only, then unequal parts with kernels of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.touched, self.untouched, self.widths = WIDTH // 4, WIDTH - WIDTH // 4, [24, 20, 20]
        self.some = nn.Conv2D(self.touched, self.touched, 3, padding=1)
        self.widen, self.back = nn.Conv2D(WIDTH, 64, 1), nn.Conv2D(64, WIDTH, 1)
        kernels = zip(self.widths, (3, 5, 7), strict=True)
        self.each = nn.LayerList([nn.Conv2D(n, n, k, padding=k // 2, groups=n) for n, k in kernels])

    def forward(self, x: Any) -> Any:
        a, b = paddle.split(x, [self.touched, self.untouched], axis=1)
        y = F.relu(self.widen(paddle.concat([self.some(a), b], axis=1)))
        parts = paddle.split(y, self.widths, axis=1)
        return x + self.back(paddle.concat([one(part) for one, part in zip(self.each, parts, strict=True)], axis=1))


class Images(nn.Layer):
    """A stem, blocks, the mean over all places and a head."""

    def __init__(self, blocks: list[nn.Layer]) -> None:
        super().__init__()
        self.stem, self.blocks, self.head = nn.Conv2D(3, WIDTH, 4, 4), nn.Sequential(*blocks), nn.Linear(WIDTH, 10)

    def forward(self, x: Any) -> Any:
        return self.head(self.blocks(self.stem(x)).mean([2, 3]))


STYLES: Mapping[str, Callable[[int], nn.Layer]] = {
    "attention, computed heads": lambda depth: Tokens([Block(Attention()) for _ in range(depth)]),
    "attention, fewer keys": lambda depth: Tokens([Block(Attention(2)) for _ in range(depth)]),
    "attention, windows": lambda depth: Tokens([Block(Windows()) for _ in range(depth)]),
    "unequal parts": lambda depth: Images([Parts() for _ in range(depth)]),
}
"""Name -> what builds one of so many blocks, for images of 32 by 32."""
