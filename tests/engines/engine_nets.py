"""Networks that PaddleSlim can't prune, each for a reason of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import nn

from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.testing import settle

SHAPE = (3, 12, 12)


class Between(nn.Layer):
    """Two convolutions, something in between, and the output."""

    def __init__(self, between: Callable[[Any], Any], layer: nn.Layer | None = None, width: int = 8) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2D(3, 8, 3, padding=1), nn.Conv2D(8, 8, 3, padding=1)
        self.layer = layer if layer is not None else nn.Identity()
        self.last = nn.Conv2D(width, 4, 1)
        self._between = between

    def forward(self, x: Any) -> Any:
        return self.last(self.layer(self._between(self.second(F.relu(self.first(x))))))


def _shuffle(x: Any) -> Any:
    n, c, h, w = x.shape
    return x.reshape([n, 2, c // 2, h, w]).transpose([0, 2, 1, 3, 4]).reshape([n, c, h, w])


def plain() -> nn.Layer:
    return Between(F.sigmoid)


def concat() -> nn.Layer:
    return Between(lambda x: paddle.concat([x, x * 2], axis=1), width=16)


def split() -> nn.Layer:
    return Between(lambda x: sum(paddle.split(x, 2, axis=1)), width=4)


def softmax() -> nn.Layer:
    return Between(lambda x: F.softmax(x, axis=1))


def shuffled() -> nn.Layer:
    return Between(_shuffle)


def grouped() -> nn.Layer:
    return Between(F.relu, nn.Conv2D(8, 8, 3, padding=1, groups=2))


def routed() -> nn.Layer:
    """Every tensor function that needs a route to the old IR and that PaddleSlim can follow."""
    return Between(lambda x: paddle.multiply(F.gelu(x), F.sigmoid(x)) + paddle.minimum(x, x)[:0].sum())


def traced(net: nn.Layer) -> ChannelGraph:
    """Its graph, once its statistics are those of random inputs."""
    settle(net, [SHAPE])
    net.eval()
    return build_graph(net, [(1, *SHAPE)])
