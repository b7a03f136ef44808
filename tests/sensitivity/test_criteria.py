"""Which units go first, against scores computed by hand."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.graph import build_graph
from paddleprune.sensitivity import rank
from paddleprune.settings import Criterion


def two_layers() -> nn.Layer:
    net = nn.Sequential(nn.Conv2D(1, 4, 1, bias_attr=False), nn.ReLU(), nn.Conv2D(4, 2, 1))
    net[0].weight.set_value(np.array([3.0, -1.0, 0.5, 2.9], np.float32).reshape(4, 1, 1, 1))
    return net


@pytest.mark.parametrize("criterion", ["l1", "l2"])
def test_small_filters_go_first(criterion: Criterion) -> None:
    net = two_layers()
    assert rank(net, build_graph(net, [(1, 1, 4, 4)]), criterion)["0"] == [2, 1, 3]  # one stays


def test_redundant_filters_go_first_by_fpgm() -> None:
    # distances to the others: 3.0: 4 + 2.5 + 0.1; -1: 4 + 1.5 + 3.9; 0.5: 2.5 + 1.5 + 2.4; 2.9: 0.1 + 3.9 + 2.4
    net = two_layers()
    assert rank(net, build_graph(net, [(1, 1, 4, 4)]), "fpgm")["0"][2:] == [0]  # and 1 stays


def test_layers_that_share_a_stream_have_the_same_say() -> None:
    class Stream(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2D(1, 3, 1, bias_attr=False), nn.Conv2D(1, 3, 1, bias_attr=False)
            self.head = nn.Conv2D(3, 2, 1)

        def forward(self, x: paddle.Tensor) -> paddle.Tensor:
            return self.head(self.a(x) + self.b(x))

    net = Stream()
    net.a.weight.set_value(np.array([100.0, 200.0, 300.0], np.float32).reshape(3, 1, 1, 1))
    net.b.weight.set_value(np.array([0.9, 0.2, 0.1], np.float32).reshape(3, 1, 1, 1))
    # a: 0.5, 1, 1.5 of its mean; b: 2.25, 0.5, 0.25 of its mean; the sums rank 1, 2, 0
    assert rank(net, build_graph(net, [(1, 1, 4, 4)]), "l1")["a"] == [1, 2]


def test_ties_keep_the_order_of_the_channels() -> None:
    net = two_layers()
    net[0].weight.set_value(np.ones((4, 1, 1, 1), np.float32))
    assert rank(net, build_graph(net, [(1, 1, 4, 4)]), "l1")["0"] == [0, 1, 2]
