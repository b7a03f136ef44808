"""Any layer, without a plugin, a task or a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
import pytest
from paddle import nn

import paddleprune
from paddleprune.errors import ConfigError, GraphError, PlanError, UnknownNameError
from paddleprune.graph.tensors import named_tensors


class TwoInputs(nn.Layer):
    """An image and numbers of words in, a dict out; a channel attention on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2D(3, 16, 3, padding=1), nn.BatchNorm2D(16), nn.ReLU())
        self.b = nn.Conv2D(16, 12, 3, padding=1)
        self.words = nn.Embedding(10, 12)
        self.mix, self.head = nn.Linear(12, 20), nn.Linear(20, 4)

    def forward(self, inputs: dict[str, Any]) -> dict[str, Any]:
        image = self.b(self.a(inputs["image"])).mean([2, 3])
        words = self.words(inputs["words"]).mean(1)
        return {"scores": self.head(F.gelu(self.mix(image * words))), "nothing": None}


SPEC = [{"image": (1, 3, 8, 8), "words": paddle.to_tensor([[1, 2, 3]])}]
PROBE = ({"image": np.ones((1, 3, 8, 8), np.float32), "words": np.array([[4, 5, 6]])},)


def outputs(layer: nn.Layer) -> np.ndarray:
    layer.eval()
    with paddle.no_grad():
        got = layer({key: paddle.to_tensor(value) for key, value in PROBE[0].items()})
    return np.asarray(got["scores"])


@pytest.fixture
def layer() -> nn.Layer:
    paddle.seed(0)
    return TwoInputs()


def test_groups_reach_through_dicts_and_embeddings(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    assert {group.name: group.size for group in graph.groups} == {"a.0": 16, "b": 12, "mix": 20, "head": 0}
    assert graph["head"].protected == "feeds an output of the model"
    text = str(graph.explain())
    assert "protected: feeds an output of the model" in text
    assert "multiply-adds" in text


def test_masked_is_what_shrinking_gives_and_undo_is_bit_exact(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    dense, before = outputs(layer), {name: t.numpy() for name, t in named_tensors(layer).items()}
    ratios = {"a.0": 0.5, "b": 0.25, "mix": 0.5}
    with graph.masked(ratios):
        masked = outputs(layer)
    np.testing.assert_array_equal(outputs(layer), dense)
    plan = paddleprune.plan(graph, ratios, criterion="l1")
    assert plan.certificate is None
    paddleprune.shrink(layer, plan)
    assert plan.certificate is not None
    assert plan.certificate.passed
    np.testing.assert_allclose(outputs(layer), masked, atol=1e-5)
    assert not np.allclose(outputs(layer), dense)
    assert layer.a[0].weight.shape[0] == 8
    with pytest.raises(PlanError, match="already"):
        paddleprune.shrink(layer, plan)
    plan.undo(layer)
    for name, tensor in named_tensors(layer).items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])
    np.testing.assert_array_equal(outputs(layer), dense)
    with pytest.raises(PlanError, match="nothing to undo"):
        plan.undo(layer)


def test_a_shrunk_layer_is_saved_and_reloaded_into_a_fresh_one(layer: nn.Layer, tmp_path: Path) -> None:
    graph = paddleprune.trace(layer, SPEC)
    plan = paddleprune.plan(graph, {"a.0": 0.5, "mix": 0.3})
    paddleprune.shrink(layer, plan)
    expected = outputs(layer)
    plan.save(tmp_path / "plan.json")
    paddle.save(layer.state_dict(), str(tmp_path / "weights.pdparams"))

    fresh = TwoInputs()
    paddleprune.load_plan(paddleprune.trace(fresh, SPEC), tmp_path / "plan.json").fit(fresh)
    fresh.set_state_dict(paddle.load(str(tmp_path / "weights.pdparams")))
    np.testing.assert_array_equal(outputs(fresh), expected)


def test_a_table_is_resumed_and_makes_a_plan(layer: nn.Layer, tmp_path: Path) -> None:
    graph = paddleprune.trace(layer, SPEC)
    calls: list[float] = []

    def evaluate(layer: nn.Layer) -> float:
        if len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(float(np.abs(outputs(layer)).sum()))
        return calls[-1]

    arguments: dict[str, Any] = {"ratios": [0.25, 0.5], "save_file": tmp_path / "table.json"}
    with pytest.raises(KeyboardInterrupt):
        paddleprune.analyze_layer(graph, evaluate, **arguments)
    table = paddleprune.analyze_layer(graph, lambda layer: float(np.abs(outputs(layer)).sum()), **arguments)
    assert [len(points) for points in table.groups.values()] == [2, 2, 2]
    whole = paddleprune.analyze_layer(graph, lambda layer: float(np.abs(outputs(layer)).sum()), ratios=[0.25, 0.5])
    assert table == whole
    plan = paddleprune.plan(graph, table, eval_metric_loss=10.0)
    assert set(plan.plan.groups) == {"a.0", "b", "mix"}


def test_rounding_keeps_multiples(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    plan = paddleprune.plan(graph, {"a.0": 0.3, "b": 0.1, "mix": 0.5}, round_to=4).plan
    assert {name: len(part.keep) for name, part in plan.groups.items()} == {"a.0": 12, "mix": 12}


def test_layer_norm_is_cut_only_by_leave_and_then_measured_shrunk() -> None:
    paddle.seed(0)
    layer = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.Linear(16, 3))
    assert "inexact=True" in (paddleprune.trace(layer, [(2, 6)])["0"].protected or "")
    graph = paddleprune.trace(layer, [(2, 6)], inexact=True)
    with pytest.raises(PlanError, match="can't be masked"), graph.masked({"0": 0.5}):
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


def test_errors_name_the_way_out(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    with pytest.raises(UnknownNameError, match="did you mean 'mix'"):
        paddleprune.plan(graph, {"mx": 0.5})
    with pytest.raises(PlanError, match="feeds an output"):
        paddleprune.plan(graph, {"head": 0.5})
    with pytest.raises(PlanError, match="between 0 and 1, got 2"):
        paddleprune.plan(graph, {"mix": 2})
    with pytest.raises(PlanError, match="another layer"):
        paddleprune.shrink(TwoInputs(), paddleprune.plan(graph, {"mix": 0.5}))
    with pytest.raises(GraphError, match="concrete sizes"):
        paddleprune.trace(nn.Linear(4, 4), [(-1, 4)])
    with pytest.raises(ConfigError, match="input_spec is 3"):
        paddleprune.trace(nn.Linear(4, 4), 3)
    with pytest.raises(GraphError, match="cannot trace Linear"):
        paddleprune.trace(nn.Linear(4, 4), (1, 5))
