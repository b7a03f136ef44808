"""Heads that only training uses, behind `if self.training`: cut and certified with the rest, no change of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
import pytest
from layer_nets import assert_same, contents
from paddle import nn

import paddleprune
from paddleprune.errors import PaddlePruneError
from paddleprune.graph.trace import trace as trace_both


class Auxiliary(nn.Layer):
    """What BiSeNetV2, STDCSeg, MobileSeg and text detectors do: heads of intermediate features, in training."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 16, 3, padding=1), nn.BatchNorm2D(16), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2D(16, 12, 3, padding=1), nn.BatchNorm2D(12), nn.ReLU())
        self.head = nn.Conv2D(12, 4, 1)
        self.aux = nn.Sequential(nn.Conv2D(16, 8, 3, padding=1), nn.BatchNorm2D(8), nn.Dropout(0.5), nn.Conv2D(8, 4, 1))

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        y = F.dropout(self.head(self.body(x)), 0.1, training=self.training)
        return [y, self.aux(x)] if self.training else y


SHAPE = (2, 3, 8, 8)


def train_step(layer: nn.Layer) -> None:
    layer.train()
    optimizer = paddle.optimizer.SGD(0.01, parameters=layer.parameters())
    outputs = layer(paddle.randn([4, *SHAPE[1:]]))
    assert [list(y.shape) for y in outputs] == [[4, 4, 8, 8]] * 2
    sum(y.square().mean() for y in outputs).backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in layer.parameters() if not p.stop_gradient)
    optimizer.step()


def test_they_are_cut_and_trained_and_restored() -> None:
    paddle.seed(0)
    layer = Auxiliary()
    layer.stem[1].eval()  # frozen statistics stay frozen
    before = contents(layer)
    graph = paddleprune.trace(layer, SHAPE)
    assert (layer.training, layer.stem[1].training, layer.body[1].training) == (True, False, True)
    assert {group.name: group.size for group in graph.prunable} == {"stem.0": 16, "body.0": 12, "aux.0": 8}
    assert graph["aux.3"].protected == "feeds an output of the training forward"
    assert graph["head"].protected == "feeds an output of the model"
    plan = paddleprune.plan(graph, {"stem.0": 0.5, "body.0": 0.25, "aux.0": 0.5})
    certificate = paddleprune.shrink(layer, plan)
    assert certificate.passed
    assert certificate.training
    assert "training mode" in certificate.describe()
    assert layer.aux[0].weight.shape == [4, 8, 3, 3]
    assert_same_except_widths(layer, before)
    train_step(layer)
    plan.undo(layer)
    assert_same(layer, before)


def assert_same_except_widths(layer: nn.Layer, before: dict[str, np.ndarray]) -> None:
    """Proving the training forward changes no statistics."""
    assert all(np.isin(array, before[name]).all() for name, array in contents(layer).items())


def test_a_network_that_never_asks_is_traced_once() -> None:
    layer = nn.Sequential(nn.Conv2D(3, 8, 3), nn.BatchNorm2D(8), nn.Dropout(0.5), nn.Conv2D(8, 4, 1))
    traces = trace_both(layer, [SHAPE])
    assert (traces.training, traces.untraced) == (None, None)
    graph = paddleprune.trace(layer, SHAPE)
    assert not graph.channels.trains
    assert "training" not in vars(nn.Layer)


class OwnMode(nn.Layer):
    """Asks nothing: `train` and `eval` decide."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head, self.aux = nn.Conv2D(3, 8, 1), nn.Conv2D(8, 4, 1), nn.Conv2D(8, 4, 1)
        self.heads = 2

    def train(self, mode: bool = True) -> Any:
        self.heads = 2
        return super().train()

    def eval(self) -> Any:
        self.heads = 1
        return super().eval()

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        return [head(x) for head in (self.head, self.aux)[: self.heads]]


def test_a_layer_that_switches_in_train_and_eval() -> None:
    layer = OwnMode()
    graph = paddleprune.trace(layer, SHAPE)
    assert layer.heads == 2
    paddleprune.shrink(layer, paddleprune.plan(graph, {"stem": 0.5}))
    assert layer.aux.weight.shape == [4, 4, 1, 1]
    layer.train()
    assert len(layer(paddle.randn(SHAPE))) == 2


class Untraceable(Auxiliary):
    """Its training forward can't be traced, and holds a width."""

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        y = self.head(self.body(x))
        if not self.training:
            return y
        if not paddle.in_dynamic_mode():
            raise TypeError("not for tracers")
        return [y, self.aux(x.reshape([-1, 16, 8, 8]))]


def test_what_breaks_only_the_training_forward_is_protected() -> None:
    graph = paddleprune.trace(Untraceable(), SHAPE)
    assert [group.name for group in graph.prunable] == ["body.0"]
    assert "in training mode" in (graph["stem.0"].protected or "")
    assert "not for tracers" in (graph.explain().untraced or "")


class WantsTargets(Auxiliary):
    def forward(self, inputs: dict[str, Any]) -> Any:
        y = self.head(self.body(self.stem(inputs["image"])))
        if not self.training:
            return y
        return {"loss": (self.aux(self.stem(inputs["image"])) - inputs["target"]).abs().mean()}


def test_a_training_forward_that_wants_more_inputs_is_named_or_given_them() -> None:
    image, target = paddle.randn(SHAPE), paddle.zeros([2, 4, 8, 8])
    explanation = paddleprune.trace(WantsTargets(), [{"image": image}]).explain()
    assert "target" in (explanation.untraced or "")
    assert "the training forward can't be followed" in str(explanation)
    layer = WantsTargets()
    graph = paddleprune.trace(layer, [{"image": image, "target": target}])
    assert graph.explain().untraced is None
    paddleprune.shrink(layer, paddleprune.plan(graph, {"stem.0": 0.5, "aux.0": 0.5}))
    layer.train()
    layer({"image": image, "target": target})["loss"].backward()
    assert layer.aux[0].weight.grad.shape == [4, 8, 3, 3]


def test_paddleslim_does_not_break_them_either() -> None:
    paddle.seed(0)
    layer = Auxiliary()
    graph = paddleprune.trace(layer, SHAPE)
    with pytest.raises(PaddlePruneError, match="PaddleSlim"):
        paddleprune.shrink(layer, paddleprune.plan(graph, {"stem.0": 0.5}, engine="paddleslim"))
    train_step(layer)
