"""A comparison that the mask hardly moves is no proof: layers that start at nothing are settled, and it is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.pruning.certificate import shrink_and_compare
from paddleprune.pruning.forwards import run
from paddleprune.testing import check_exact, settle

PROBE = (np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype("float32"),)


class Block(nn.Layer):
    """ConvNeXt's: what it adds is scaled by 1e-6 at first."""

    def __init__(self, dim: int = 8) -> None:
        super().__init__()
        self.mix, self.norm = nn.Conv2D(dim, dim, 7, padding=3, groups=dim), nn.LayerNorm(dim)
        self.wide, self.back = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.scale = self.create_parameter([dim], default_initializer=nn.initializer.Constant(1e-6))

    def forward(self, x: Any) -> Any:
        y = self.norm(self.mix(x).transpose([0, 2, 3, 1]))
        y = self.scale * self.back(nn.functional.gelu(self.wide(y)))
        return x + y.transpose([0, 3, 1, 2])


def network(zero_head: bool) -> tuple[nn.Layer, ChannelGraph]:
    paddle.seed(0)
    head = nn.Linear(8, 4, weight_attr=nn.initializer.Constant(0.0) if zero_head else None)
    layer = nn.Sequential(nn.Conv2D(3, 8, 4, 4), Block(), nn.AdaptiveAvgPool2D(1), nn.Flatten(), head)
    return layer, build_graph(layer, [(1, 3, 16, 16)])


@pytest.mark.parametrize("zero_head", [False, True])
def test_what_starts_at_nothing_is_settled(zero_head: bool) -> None:
    layer, graph = network(zero_head)
    half = graph["1.wide"].units[::2]
    with pytest.raises(AssertionError, match="the mask moves the outputs by"):
        check_exact(layer, graph, half, PROBE, moves=True)
    check_exact(layer, graph, half, PROBE)  # which proves nothing
    settle(layer, [(3, 16, 16)])
    assert check_exact(layer, graph, half, PROBE, moves=True) < 1e-5
    assert all(float(p.abs().max()) > 0.01 for name, p in layer.named_parameters() if "bias" not in name)


def test_the_certificate_says_how_far_the_mask_moved_the_outputs() -> None:
    layer, graph = network(zero_head=False)
    half = graph["1.wide"].units[::2]
    said = []
    for settled in (False, True):
        if settled:
            settle(layer, [(3, 16, 16)])
        dense = run(layer, PROBE, trains=False)
        undo, certificate = shrink_and_compare(layer, graph, half, PROBE, dense=dense)
        undo(layer)
        assert certificate.moves_too_little is not settled
        said.append(certificate.describe())
    assert "too little to prove much" in said[0]
    assert "the mask moved them by up to 0." in said[1]
