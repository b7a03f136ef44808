"""State and widths outside of parameters: data parallelism's wrapper, NumPy's integers, buffers that aren't saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from layer_nets import Classifier, assert_same, contents
from paddle import nn

import paddleprune
from paddleprune.errors import PlanError
from paddleprune.pruning import certificate

SHAPE = (2, 3, 8, 8)


def test_data_parallel_is_unwrapped_everywhere(tmp_path: Path) -> None:
    inner = Classifier()
    layer, before = paddle.DataParallel(inner), contents(inner)
    graph = paddleprune.trace(layer, SHAPE)
    assert {group.name for group in graph.prunable} == {"body.0", "body.4", "body.7"}
    layer.eval()
    with graph.masked({"body.0": 0.5}):
        layer(paddle.randn(SHAPE))
    paddleprune.analyze_layer(graph, lambda it: 1.0, ratios=[0.5])
    plan = paddleprune.plan(graph, {"body.0": 0.5})
    paddleprune.shrink(layer, plan)
    plan.save(tmp_path / "plan.json")
    fresh = paddle.DataParallel(Classifier())
    paddleprune.load_shrunk(fresh, tmp_path / "plan.json", layer.state_dict())
    assert fresh._layers.body[0].weight.shape == [8, 3, 3, 3]
    plan.undo(layer)
    assert_same(inner, before)


class Halves(nn.Layer):
    def __init__(self, width: Any) -> None:
        super().__init__()
        self.width, self.a, self.head = width, nn.Conv2D(3, 16, 1), nn.Conv2D(8, 4, 1)

    def forward(self, x: Any) -> Any:
        left, right = self.a(x).split([self.width, self.width], axis=1)
        return self.head(left * right)


@pytest.mark.parametrize("kind", [int, np.int64, np.int32])
def test_numpy_s_integers_count(kind: Any, tmp_path: Path) -> None:
    layer = Halves(kind(8))
    graph = paddleprune.trace(layer, SHAPE)
    plan = paddleprune.plan(graph, {"a": 0.5})
    paddleprune.shrink(layer, plan)
    assert layer.width == 4
    plan.save(tmp_path / "plan.json")
    fresh = Halves(kind(8))
    paddleprune.load_shrunk(fresh, tmp_path / "plan.json", layer.state_dict())
    assert fresh.width == 4
    plan.undo(layer)
    assert type(layer.width) is kind


class Scaled(nn.Layer):
    """Two buffers that `state_dict()` leaves out: one as wide as the channels, one of their numbers."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2D(3, 16, 1), nn.Conv2D(16, 8, 1), nn.Conv2D(8, 4, 1)
        random = np.random.default_rng(seed)
        scale = paddle.to_tensor(random.uniform(0.5, 2, (1, 16, 1, 1)).astype("float32"))
        self.register_buffer("scale", scale, persistable=False)
        self.register_buffer("order", paddle.to_tensor(random.permutation(8)), persistable=False)

    def forward(self, x: Any) -> Any:
        return self.head(paddle.index_select(self.b(self.a(x) * self.scale), self.order, axis=1))


def test_buffers_that_are_not_saved_are_cut_after_loading_too(tmp_path: Path) -> None:
    layer, images = Scaled(), paddle.randn(SHAPE)
    for shares in ({"a": 0.5}, {"a": 0.25, "b": 0.5}):  # the last plan knows what all of them left
        graph = paddleprune.trace(layer, SHAPE)
        plan = paddleprune.plan(graph, shares)
        paddleprune.shrink(layer, plan)
    plan.save(tmp_path / "plan.json")
    assert (layer.scale.shape, layer.order.shape) == ([1, 6, 1, 1], [4])
    fresh = Scaled(seed=1)
    paddleprune.load_shrunk(fresh, tmp_path / "plan.json", layer.state_dict())
    np.testing.assert_array_equal(fresh(images).numpy(), layer(images).numpy())


def test_large_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Scaled()
    graph, before = paddleprune.trace(layer, SHAPE), contents(layer)
    monkeypatch.setattr(certificate, "_LARGEST_BUFFER", 8)
    with pytest.raises(PlanError, match=r"'scale'.*not saved with the weights.*persistable=True"):
        paddleprune.shrink(layer, paddleprune.plan(graph, {"a": 0.5}))
    assert_same(layer, before)
