"""Any layer, without a plugin, a task or a dataset: tracing it, and cutting what attention and norms are made of."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
import pytest
from layer_nets import (
    SPEC,
    Block,
    Sum,
    assert_same,
    contents,
)
from paddle import nn

import paddleprune
from paddleprune.errors import (
    ConfigError,
    GraphError,
    PlanError,
)


def test_groups_reach_through_dicts_and_embeddings(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    assert {group.name: group.size for group in graph.groups} == {"a.0": 16, "b": 12, "mix": 20, "head": 0}
    assert graph["head"].protected == "feeds an output of the model"
    assert {group.name for group in graph.prunable} == {"a.0", "b", "mix"}
    text = str(graph.explain())
    assert "protected: feeds an output of the model" in text
    assert "multiply-adds" in text
    assert repr(graph) == "<LayerGraph of TwoInputs: 3 of 4 groups can be pruned>"


@pytest.mark.parametrize(
    "spec",
    [
        (1, 3, 8, 8),
        [1, 3, 8, 8],
        [(1, 3, 8, 8)],
        [[1, 3, 8, 8]],
        ([1, 3, 8, 8],),
        (None, 3, 8, 8),
        [(-1, 3, 8, 8)],
        paddle.zeros([2, 3, 8, 8]),
        [np.zeros((2, 3, 8, 8), np.float32)],
        paddle.static.InputSpec([None, 3, 8, 8], "float32"),
        [paddle.static.InputSpec([-1, 3, 8, 8], "float32", "image")],
    ],
)
def test_one_input_may_be_said_in_any_way(classifier: nn.Layer, spec: Any) -> None:
    graph = paddleprune.trace(classifier, spec)
    assert {group.name: group.size for group in graph.prunable} == {"body.0": 16, "body.4": 6, "body.7": 6}
    assert [leaf.shape[1:] for leaf in graph.channels.inputs] == [(3, 8, 8)]
    assert graph.probe[0].shape in ((1, 3, 8, 8), (2, 3, 8, 8))


@pytest.mark.parametrize("spec", [[(2, 6), (2, 4)], ((2, 6), paddle.ones([2, 4])), [(2, 6), (2, 4), (2, 1)]])
def test_arguments_are_positional(spec: Any) -> None:
    layer = Sum()
    graph = paddleprune.trace(layer, spec)
    assert {group.name: group.size for group in graph.prunable} == {"a": 8}
    plan = paddleprune.plan(graph, {"a": 0.5})
    assert paddleprune.shrink(layer, plan).passed
    assert tuple(layer.b.weight.shape) == (4, 4)


def test_one_dict_is_the_only_argument(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC[0])
    assert len(graph.prunable) == 3


def test_examples_are_the_probe(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    np.testing.assert_array_equal(graph.probe[0]["words"], [[1, 2, 3]])
    assert graph.probe[0]["image"].shape == (1, 3, 8, 8)


@pytest.mark.parametrize("attention", ["heads", "dims"])
def test_a_hand_written_transformer_block(attention: Any) -> None:
    paddle.seed(0)
    layer = Block()
    graph = paddleprune.trace(layer, (2, 3, 8, 8), attention=attention)
    assert {group.name: group.size for group in graph.prunable} == {"qkv": 4, "fc1": 64}
    assert "inexact=True" in (graph["embed"].protected or "")
    plan, before = paddleprune.plan(graph, {"qkv": 0.5, "fc1": 0.3}, round_to=8), contents(layer)
    paddleprune.shrink(layer, plan)
    assert (layer.num_heads, layer.head_dim) == ((2, 4) if attention == "heads" else (4, 2))
    assert tuple(layer.qkv.weight.shape) == (16, 24)
    assert tuple(layer.fc1.weight.shape) == (16, 48)
    plan.undo(layer)
    assert (layer.num_heads, layer.head_dim) == (4, 4)
    assert_same(layer, before)


@pytest.mark.parametrize("attention", ["heads", "dims"])
def test_paddle_s_transformer_layer(attention: Any) -> None:
    paddle.seed(0)
    layer = nn.TransformerEncoderLayer(16, 4, 32, activation="gelu")
    graph = paddleprune.trace(layer, (2, 5, 16), attention=attention)
    assert {group.name: group.size for group in graph.prunable} == {"self_attn.q_proj": 4, "linear1": 32}
    plan = paddleprune.plan(graph, {"self_attn.q_proj": 0.5, "linear1": 0.5})
    paddleprune.shrink(layer, plan)
    assert (layer.self_attn.num_heads, layer.self_attn.head_dim) == ((2, 4) if attention == "heads" else (4, 2))
    plan.undo(layer)
    assert (layer.self_attn.num_heads, layer.self_attn.head_dim) == (4, 4)


def test_layer_norm_is_cut_only_by_leave_and_then_measured_shrunk() -> None:
    paddle.seed(0)
    layer = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.Linear(16, 3))
    assert "inexact=True" in (paddleprune.trace(layer, [(2, 6)])["0"].protected or "")
    graph = paddleprune.trace(layer, [(2, 6)], inexact=True)
    with pytest.raises(PlanError, match=r"can't be masked .*layer_norm.*shrink it"), graph.masked({"0": 0.5}):
        pass
    seen: list[tuple[int, ...]] = []

    def evaluate(layer: nn.Layer) -> float:
        seen.append(tuple(layer[0].weight.shape))
        return 1.0

    paddleprune.analyze_layer(graph, evaluate, ratios=[0.5])
    assert seen == [(6, 16), (6, 8)]
    plan = paddleprune.plan(graph, {"0": 0.5})
    paddleprune.shrink(layer, plan)
    assert plan.certificate is not None
    assert plan.certificate.inexact == ("0",)
    assert list(layer(paddle.randn([2, 6])).shape) == [2, 3]


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        (3, ConfigError, "input_spec is 3; give a shape for each argument"),
        ([], ConfigError, "input_spec is "),
        ("image", ConfigError, "input_spec is 'image'"),
        ([(1, -1)], GraphError, "concrete sizes"),
        (["image"], GraphError, "input 0 is 'image'"),
        ((1, 5), GraphError, "cannot trace Linear|Linear doesn't run on inputs of shapes"),
        ([(1, 4), (1, 4)], GraphError, "cannot trace Linear"),
    ],
)
def test_inputs_that_can_not_be_used(spec: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        paddleprune.trace(nn.Linear(4, 4), spec)


def test_an_unknown_way_of_cutting_attention() -> None:
    with pytest.raises(ConfigError, match="unknown attention 'head'; did you mean 'heads'"):
        paddleprune.trace(nn.Linear(4, 4), (1, 4), attention="head")  # type: ignore[arg-type]


@pytest.mark.parametrize("layer", [nn.ReLU, F.relu, None])
def test_what_is_no_layer(layer: Any) -> None:
    with pytest.raises(ConfigError, match=r"layer is .*; give a paddle\.nn\.Layer"):
        paddleprune.trace(layer, (1, 4))


eight = partial(paddle.reshape, shape=[-1, 8])
"""Nothing that has a source: nobody can tell it otherwise."""


def test_a_hard_coded_width_is_protected_by_name() -> None:
    class HardCoded(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.head = nn.Conv2D(3, 6, 3), nn.Conv2D(6, 8, 3), nn.Linear(8, 2)

        def forward(self, x: Any) -> Any:
            return self.head(eight(F.adaptive_avg_pool2d(self.b(self.a(x)), 1)))

    graph = paddleprune.trace(HardCoded(), (1, 3, 8, 8))
    assert [group.name for group in graph.prunable] == ["a"]
    assert "hard-codes" in (graph["b"].protected or "")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(value: float) -> None:
    layer = nn.Sequential(nn.Conv2D(1, 4, 3), nn.BatchNorm2D(4), nn.Conv2D(4, 2, 3))
    layer.register_buffer("mask", paddle.to_tensor([0.0, float("-inf")]))  # as attention has it
    graph = paddleprune.trace(layer, (1, 1, 8, 8))
    layer[1]._variance[1] = value
    words = r"1\._variance holds 1 NaN or infinite values among its 4"
    for use in (
        lambda: paddleprune.trace(layer, (1, 1, 8, 8)),
        lambda: paddleprune.analyze_layer(graph, lambda layer: 1.0),
        lambda: paddleprune.plan(graph, {"0": 0.5}),
    ):
        with pytest.raises(GraphError, match=words):
            use()


def test_a_layer_that_does_not_run_says_so() -> None:
    layer = nn.Sequential(nn.Conv2D(1, 4, 3), nn.ReLU(), nn.Conv2D(4, 2, 3))
    with pytest.raises(GraphError, match=r"Sequential .*\(1, 3, 8, 8\)"):
        paddleprune.trace(layer, (1, 3, 8, 8))
