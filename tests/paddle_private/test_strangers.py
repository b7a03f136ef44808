"""A layer of somebody else's that is written like one of Paddle's is cut like it."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import nn

from paddleprune.graph import build_graph
from paddleprune.pruning import shrink
from paddleprune.testing import check_exact


class Depthwise(nn.Layer):
    """A convolution that holds its widths where Paddle's do, and is none of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self._groups = self._in_channels = self._out_channels = channels
        self.weight = self.create_parameter([channels, 1, 3, 3])

    def forward(self, x: Any) -> Any:
        return F.conv2d(x, self.weight, padding=1, groups=self._groups)


def test_its_groups_follow_its_weight() -> None:
    paddle.seed(0)
    net = nn.Sequential(nn.Conv2D(3, 8, 1), Depthwise(8), nn.Conv2D(8, 2, 1))
    net.eval()
    graph = build_graph(net, [(1, 3, 8, 8)])
    removed = graph["0"].units[:3]
    probe = np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)
    assert check_exact(net, graph, removed, (probe,), moves=True) < 1e-5
    undo = shrink(net, graph, removed)
    assert (net[1]._groups, net[1]._in_channels, net[1]._out_channels) == (5, 5, 5)
    undo(net)
    assert (net[1]._groups, net[1]._in_channels, net[1]._out_channels) == (8, 8, 8)
