"""A trace leaves the layer as it was, Python state too; what a forward keeps of its activations is no state."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
import pytest
from layer_nets import assert_same, contents
from paddle import nn

import paddleprune
from paddleprune.errors import GraphError
from paddleprune.graph.state import undisturbed

SHAPE = (2, 3, 8, 8)
OUTSIDE: list[Any] = []


class Keeps(nn.Layer):
    """Fills whatever a forward can fill, and reads one activation back."""

    seen_by_class: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2D(3, 16, 3), nn.Conv2D(16, 8, 3), nn.Conv2D(8, 4, 1)
        self.log: list[Any] = []
        self.nested: dict[str, Any] = {"deep": [set(), []]}
        self.calls = 0
        self.register_buffer("steps", paddle.zeros([1]), persistable=False)

    def forward(self, x: Any) -> Any:
        self.calls += 1
        x = self.a(x)
        self.seen = F.relu(x)
        self.log.append(x)
        self.nested["deep"][1].append(x)
        self.nested["last"] = x
        self.seen_by_class["x"] = x
        OUTSIDE.append(x)
        self.steps = self.steps + 1
        return self.c(self.b(self.seen))


def hooked(layer: Keeps) -> list[Any]:
    found: list[Any] = []
    layer.a.register_forward_post_hook(lambda sub, inputs, output: found.append(output))
    return found


@pytest.mark.parametrize("ran_before", [False, True])
def test_lists_dicts_hooks_and_kept_activations(ran_before: bool, tmp_path: Path) -> None:
    paddle.seed(0)
    layer = Keeps()
    found = hooked(layer)
    if ran_before:
        layer(paddle.randn([5, 3, 9, 9]))
    OUTSIDE.clear()
    before, kept, calls, count = contents(layer), list(layer.log), layer.calls, len(found)
    graph = paddleprune.trace(layer, SHAPE)
    assert (layer.calls, len(layer.log), len(found), OUTSIDE) == (calls, len(kept), count, [])
    assert ("last" in layer.nested) == ran_before
    assert hasattr(layer, "seen") == ran_before
    assert_same(layer, before)
    copy.deepcopy(layer)  # what averaged weights and distillation do

    assert {group.name: group.size for group in graph.prunable} == {"a": 16, "b": 8}
    plan = paddleprune.plan(graph, {"a": 0.5, "b": 0.5})
    layer.eval()
    with graph.masked({"a": 0.5}), paddle.no_grad():
        layer(paddle.randn([3, 3, 8, 8]))
    paddleprune.analyze_layer(
        graph, lambda it: 2.0 + float(it.c.weight.mean()) * len(it(paddle.ones(SHAPE))), ratios=[0.5]
    )
    paddleprune.shrink(layer, plan)
    plan.save(tmp_path / "plan.json")
    layer.train()
    layer(paddle.randn([3, 3, 8, 8]))
    fresh = Keeps()
    paddleprune.load_shrunk(fresh, tmp_path / "plan.json", layer.state_dict())
    fresh(paddle.randn([3, 3, 8, 8]))
    plan.undo(layer)
    layer(paddle.randn([3, 3, 8, 8]))


def test_one_layer_reads_what_another_kept() -> None:
    class Reader(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.keeps, self.head = Keeps(), nn.Conv2D(16, 4, 1)

        def forward(self, x: Any) -> Any:
            y = self.keeps(x)
            return y, self.head(self.keeps.seen)

    layer = Reader()
    layer(paddle.randn(SHAPE))
    graph = paddleprune.trace(layer, SHAPE)
    paddleprune.shrink(layer, paddleprune.plan(graph, {"keeps.a": 0.5}))
    assert layer.head.weight.shape == [4, 8, 1, 1]


def test_failing_traces_leave_no_traces_either() -> None:
    layer = Keeps()
    with pytest.raises(GraphError, match="input's channels is 5"):
        paddleprune.trace(layer, (1, 5, 8, 8))
    assert (layer.calls, layer.log, hasattr(layer, "seen")) == (0, [], False)


def test_random_numbers_go_on_as_if_nothing_had_happened() -> None:
    layer = nn.Sequential(nn.Conv2D(3, 8, 3), nn.Dropout(0.5), nn.Conv2D(8, 4, 1))
    paddle.seed(3)
    expected = paddle.rand([4]).numpy()
    paddle.seed(3)
    paddleprune.trace(layer, SHAPE)
    np.testing.assert_array_equal(paddle.rand([4]).numpy(), expected)


def test_closures_and_cells_are_put_back() -> None:
    layer, count = nn.Linear(2, 2), 0

    def hook(sub: Any, inputs: Any) -> None:
        nonlocal count
        count += 1

    layer.register_forward_pre_hook(hook)
    with undisturbed(layer):
        layer(paddle.ones([1, 2]))
        assert count == 1
    assert count == 0
