"""Every axis keeps a channel, and no more: sweep, plan, mask and rounding choose the same units."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

import paddleprune
from paddleprune.engines import NativeEngine
from paddleprune.errors import PlanError, TableError
from paddleprune.graph import build_graph
from paddleprune.graph.channels import Group

PROBE = np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)


class Inception(nn.Layer):
    """Branches of 16, 8 and 8 channels that are joined, and added to a stream of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, 32, 3, padding=1)
        self.a, self.b, self.c = (nn.Conv2D(32, width, 1) for width in (16, 8, 8))
        self.head = nn.Conv2D(32, 4, 1)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        return self.head(x + paddle.concat([self.a(x), self.b(x), self.c(x)], axis=1))


@pytest.fixture
def layer() -> Inception:
    """Of which the filters of `b` and then those of `c` matter least."""
    paddle.seed(0)
    layer = Inception()
    scales = paddle.to_tensor([1.0 + i for i in range(16)] + [0.01] * 8 + [0.1] * 8)
    for part in (layer.stem, layer.a, layer.b, layer.c):
        part.weight.set_value(paddle.ones_like(part.weight))
    layer.stem.weight.set_value(layer.stem.weight * scales.reshape([32, 1, 1, 1]))
    return layer


def kept(layer: Inception) -> list[int]:
    return [branch.weight.shape[0] for branch in (layer.a, layer.b, layer.c)]


@pytest.mark.parametrize(("ratio", "left"), [(0.2, [16, 2, 8]), (0.5, [14, 1, 1]), (0.95, [1, 1, 1])])
def test_as_much_goes_as_was_asked_for(layer: Inception, ratio: float, left: list[int]) -> None:
    graph = paddleprune.trace(layer, PROBE)
    plan = paddleprune.plan(graph, {"stem": ratio})
    gone = 32 - len(plan.plan.groups["stem"].keep)
    assert gone == min(round(32 * ratio), 29)
    paddleprune.shrink(layer, plan)
    assert kept(layer) == left
    assert sum(left) == layer.head.weight.shape[1]
    assert plan.certificate is not None
    assert plan.certificate.passed


def test_what_really_goes_is_said(layer: Inception) -> None:
    graph = paddleprune.trace(layer, PROBE)
    seen: list[tuple[int, ...]] = []

    def evaluate(layer: nn.Layer) -> float:
        weight = layer.head.weight.numpy()
        seen.append(tuple(np.flatnonzero(~weight.any(axis=(0, 2, 3)))))
        return 100.0 - len(seen[-1])

    table = paddleprune.analyze_layer(graph, evaluate, ratios=[0.25, 0.5, 0.75, 0.95, 0.99])
    points = table.groups["stem"]
    assert [point.removed for point in points] == [0.25, 0.5, 0.75, 0.90625, 0.90625]
    assert [point.loss for point in points] == pytest.approx([0.08, 0.16, 0.24, 0.29, 0.29])
    assert [len(gone) for gone in seen] == [0, 8, 16, 24, 29]  # the last two are one
    for fewer, more in pairwise(seen):
        assert set(fewer) < set(more)
    for ratio, masked in zip((0.25, 0.5, 0.75), seen[1:], strict=False):
        plan = paddleprune.plan(graph, {"stem": ratio}).plan
        assert sorted(set(range(32)) - set(plan.groups["stem"].keep)) == list(masked)
        assert plan.groups["stem"].most is None
        assert "asked" not in plan.summary()
    most = paddleprune.plan(graph, {"stem": 0.95}).plan
    assert most.groups["stem"].most == 29
    assert most.summary().endswith("more was asked for than can go, as every layer keeps a channel: stem 29 of 32")
    old = {"stem": tuple(point.model_copy(update={"removed": None}) for point in points)}
    with pytest.raises(TableError, match="earlier version, which removed fewer units of stem than its ratios say"):
        paddleprune.plan(graph, table.model_copy(update={"groups": old}), eval_metric_loss=0.2)
    report = graph.explain().groups[0]
    assert (report.units, report.at_once) == (32, 29)
    assert "at most 29 at once" in str(graph.explain())


def test_rounding_takes_from_the_same_order(layer: Inception) -> None:
    graph = build_graph(layer, [(1, 3, 8, 8)])
    order = NativeEngine(layer, graph, "l1").groups[0].order
    for round_to in (1, 2):
        plan = NativeEngine(layer, graph, "l1").plan({"stem": 0.5}, round_to=round_to)
        gone = plan.removed(graph)
        assert set(gone) == set(order[: len(gone)])


def test_a_plan_that_empties_a_layer_is_refused(layer: Inception, tmp_path: Path) -> None:
    graph, file = paddleprune.trace(layer, PROBE), tmp_path / "plan.json"
    plan = paddleprune.plan(graph, {"stem": 0.5})
    edited = json.loads(plan.plan.model_dump_json())
    edited["groups"]["stem"]["keep"] = list(range(16))  # nothing of `b` and `c`
    file.write_text(json.dumps(edited))
    with pytest.raises(PlanError, match="leaves a layer without channels, since the units of 'stem' that it keeps"):
        paddleprune.load_plan(graph, file, edited=True)


def test_overlapping_limits() -> None:
    group = Group("g", (1, 2, 3, 4, 5), 5, ((1, 2), (2, 3), (4,)))
    assert group.removable() == [1, 3, 5]
    assert group.removable([2, 5, 4, 3, 1]) == [2, 5]
    assert Group("g", (1, 2, 3), 3, ()).removable([3, 1, 2]) == [3, 1, 2]
