"""The trial cut blames a forward for its widths alone: whatever else goes wrong says itself what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
import pytest
from paddle import nn

import paddleprune
from paddleprune.errors import CertificateError, GraphError
from paddleprune.pruning import trials

SHAPE = (2, 3, 8, 8)


class Net(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2D(3, 16, 3), nn.Conv2D(16, 8, 3), nn.Conv2D(8, 4, 1)

    def forward(self, x: Any) -> Any:
        return self.c(self.b(F.relu(self.a(x))))


def names(graph: Any) -> list[str]:
    return [group.name for group in graph.prunable]


class Thing:
    pass


class Besides(Net):
    """Numbers, words, shapes, flags and things beside the tensors; integers among those."""

    def forward(self, x: Any) -> Any:
        y = super().forward(x)
        return {"y": y, "n": 3, "word": "mask", "shape": y.shape, "on": True, "thing": Thing(), "best": y.argmax(1)}


def test_what_a_forward_returns_beside_its_tensors_is_compared_by_equality() -> None:
    paddle.seed(0)
    layer = Besides()
    graph = paddleprune.trace(layer, SHAPE)
    assert names(graph) == ["a", "b"]
    assert paddleprune.shrink(layer, paddleprune.plan(graph, {"a": 0.5, "b": 0.5})).passed


def test_a_width_among_them_is_named() -> None:
    class Width(Net):
        def forward(self, x: Any) -> Any:
            y = self.a(x)
            return self.c(self.b(y)), y.shape[1]

    graph = paddleprune.trace(Width(), SHAPE)
    assert names(graph) == ["b"]
    assert (graph["a"].protected or "").startswith("the forward returns 16 beside its tensors, which became")


def test_a_dense_layer_that_does_not_run_says_so_itself() -> None:
    class Broken(Net):
        def forward(self, x: Any, mask: Any = None) -> Any:
            if paddle.in_dynamic_mode() and mask is None:
                raise ValueError("I want a mask")
            return super().forward(x)

    with pytest.raises(GraphError, match=r"Broken doesn't run on inputs of shapes .*: I want a mask"):
        paddleprune.trace(Broken(), SHAPE)
    with pytest.raises(GraphError, match="the example is float64 and the weights are float32"):
        paddleprune.trace(Net(), np.random.default_rng(0).standard_normal(SHAPE))


def test_a_probe_that_does_not_run_is_not_the_cut_s_fault() -> None:
    layer = Net()
    plan = paddleprune.plan(paddleprune.trace(layer, SHAPE), {"a": 0.5})
    with pytest.raises(CertificateError, match=r"the network itself doesn't run on the probe: .*nothing was changed"):
        paddleprune.shrink(layer, plan, paddle.randn([1, 5, 8, 8]))


def test_examples_prove_what_random_numbers_cannot() -> None:
    class Picky(Net):
        def forward(self, x: Any) -> Any:
            if paddle.in_dynamic_mode() and float(x.min()) < 0:
                raise ValueError("negative numbers aren't pictures")
            return super().forward(x)

    assert names(paddleprune.trace(Picky(), paddle.rand(SHAPE))) == ["a", "b"]
    with pytest.raises(GraphError, match="negative numbers aren't pictures; give examples that do"):
        paddleprune.trace(Picky(), SHAPE)


class Random(Net):
    """Noise of the input's shape is the same for every width; what is dropped of the features isn't."""

    def __init__(self, wide: bool) -> None:
        super().__init__()
        self.wide = wide

    def forward(self, x: Any) -> Any:
        y = self.a(x if self.wide else x + paddle.randn(x.shape))
        return self.c(self.b(F.dropout(y, 0.5) if self.wide else y))


def test_random_numbers_in_a_forward_are_told_from_widths() -> None:
    assert names(paddleprune.trace(Random(wide=False), SHAPE)) == ["a", "b"]
    graph = paddleprune.trace(Random(wide=True), SHAPE)
    assert "random numbers" in (graph["a"].protected or "")


def test_numbers_that_are_not_finite_are_no_width() -> None:
    class Roots(Net):
        def forward(self, x: Any) -> Any:
            return super().forward(x), paddle.sqrt(x)

    assert names(paddleprune.trace(Roots(), SHAPE)) == ["a", "b"]


def test_an_error_of_the_product_is_the_product_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*args: Any, **kw: Any) -> Any:
        raise KeyError("no such tensor")

    monkeypatch.setattr(trials, "shrink_and_compare", failing)
    assert "paddleprune fails to cut it" in (paddleprune.trace(Net(), SHAPE)["a"].protected or "")
