"""What forwards are told: it travels in the plan, is undone, is exported, and holds for other inputs, too."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import ops_sliced
import ops_written
import paddle
import pytest
from ops_support import Tokens
from paddle import nn

import paddleprune
from paddleprune.errors import PlanError
from paddleprune.graph.tensors import named_tensors
from paddleprune.pruning import resize
from paddleprune.runtimes.modes import MODES
from paddleprune.testing import settle

SHAPE = (2, 3, 8, 8)
SHARES = {
    ops_written.ComputedHeads: {"qkv": 0.5},
    ops_written.Mixed: {"a": 0.4},
    ops_written.Untouched: {"stem.0": 0.4},
    ops_sliced.Front: {"stem.0": 0.4},
    ops_sliced.PutTogether: {"a": 0.34, "b": 0.3},
    ops_sliced.InPlace: {"a": 0.3},
    ops_sliced.Gates: {"gates": 0.4},
    ops_sliced.HelpedWindows: {"q": 0.5, "proj": 0.4},
}


def built(kind: type[nn.Layer]) -> nn.Layer:
    paddle.seed(1)
    layer = kind()
    settle(layer, [SHAPE[1:]])
    return layer


def state(layer: nn.Layer) -> list[Any]:
    """Of every sublayer the class, and what it holds besides tensors and sublayers."""
    subs = layer.sublayers(include_self=True)
    plain = [{key: value for key, value in vars(sub).items() if not key.startswith("_")} for sub in subs]
    return [[type(sub), values, vars(sub).get("_told_sizes")] for sub, values in zip(subs, plain, strict=True)]


@pytest.mark.parametrize("kind", SHARES)
def test_it_is_saved_loaded_cut_again_and_undone(kind: type[nn.Layer], tmp_path: Path) -> None:
    layer = built(kind)
    before, weights = state(layer), {name: tensor.numpy() for name, tensor in named_tensors(layer).items()}
    x = paddle.to_tensor(np.random.default_rng(0).standard_normal((5, *SHAPE[1:])).astype(np.float32))
    first = paddleprune.plan(paddleprune.trace(layer, SHAPE), SHARES[kind])
    assert paddleprune.shrink(layer, first).passed
    once = layer(x).numpy()
    again = paddleprune.plan(paddleprune.trace(layer, SHAPE), SHARES[kind])
    assert paddleprune.shrink(layer, again).passed
    again.save(tmp_path / "plan.json")
    fresh = built(kind)
    paddleprune.load_shrunk(fresh, tmp_path / "plan.json", layer.state_dict())
    np.testing.assert_array_equal(fresh(x).numpy(), layer(x).numpy())
    np.testing.assert_array_equal(copy.deepcopy(layer)(x).numpy(), layer(x).numpy())
    again.undo(layer)
    np.testing.assert_array_equal(layer(x).numpy(), once)
    first.undo(layer)
    assert state(layer) == before
    for name, tensor in named_tensors(layer).items():
        np.testing.assert_array_equal(tensor.numpy(), weights[name])


@pytest.mark.parametrize("written_for", ["paddle", "onnx"])
@pytest.mark.parametrize("kind", [ops_written.ComputedHeads, ops_sliced.InPlace, ops_sliced.HelpedWindows])
def test_it_is_exported(kind: type[nn.Layer], written_for: str, tmp_path: Path) -> None:
    layer = built(kind)
    plan = paddleprune.plan(paddleprune.trace(layer, SHAPE), SHARES[kind])
    paddleprune.shrink(layer, plan)
    paddleprune.export(layer, shapes=[SHAPE[1:]], save_dir=tmp_path, format=written_for)
    x = np.random.default_rng(0).standard_normal((1, *SHAPE[1:])).astype(np.float32)
    session = MODES["onednn_off" if written_for == "paddle" else "onnxruntime"].load(tmp_path / "model", 1)
    session.feed({"input_0": x})
    session.run()
    np.testing.assert_allclose(session.outputs()[0], layer(paddle.to_tensor(x)).numpy(), atol=1e-5)


def test_a_told_layer_is_still_what_it_was() -> None:
    layer = built(ops_written.ComputedHeads)
    paddleprune.shrink(layer, paddleprune.plan(paddleprune.trace(layer, SHAPE), {"qkv": 0.5}))
    assert layer.num_heads == 4  # the heads' width is computed from it, too: both sizes are told
    assert isinstance(layer, ops_written.ComputedHeads)
    assert type(layer).__name__ == "ComputedHeads"
    layer.train()
    layer(paddle.randn(SHAPE)).sum().backward()
    assert float(layer.qkv.weight.grad.abs().sum()) > 0


class Derived(Tokens):
    """What is rewritten calls its base class, and has a default and a closure."""

    def __init__(self) -> None:
        super().__init__(16)
        self.widen = nn.Linear(8, 16)

    def forward(self, x: Any, *, by: float = 2.0) -> Any:
        def times(y: Any) -> Any:
            return y.reshape([-1, 3, 8, 8]) * by

        return super().forward(times(x))

    def body(self, x: Any) -> Any:
        return self.widen(x.reshape([x.shape[0], 16, 8])).reshape([-1, 16, 16])


def test_what_is_rewritten_keeps_its_base_class_defaults_and_closure() -> None:
    layer = built(Derived)
    graph = paddleprune.trace(layer, SHAPE)
    assert {group.name for group in graph.prunable} == {"patch", "widen"}
    plan = paddleprune.plan(graph, {"patch": 0.25, "widen": 0.5})
    assert paddleprune.shrink(layer, plan).passed


def test_a_plan_for_another_forward_is_refused() -> None:
    layer, sizes = built(ops_written.ComputedHeads), {"": {"body[7][0]": 3}}
    with pytest.raises(PlanError, match=r"sets body\[7\]\[0\] to 3, but its source writes no such size"):
        resize(layer, {}, sizes)


def test_without_a_source_nothing_can_be_told() -> None:
    names: dict[str, Any] = {"Tokens": Tokens}
    exec("class Unread(Tokens):\n def body(self, x): return x.reshape([-1, 2, 8, 8]).reshape([-1, 16, 8])", names)
    assert "hard-codes" in (paddleprune.trace(names["Unread"](), SHAPE)["patch"].protected or "")
