"""Plans by a table beside all plans that there are, on networks that are small enough to try them all."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paddle import nn

import paddleprune
from paddleprune.api.budgets import Priced, within
from paddleprune.api.paths import paths_for
from paddleprune.engines import NativeEngine
from paddleprune.errors import PlanError
from paddleprune.measure.layer_times import noting_calls
from paddleprune.sensitivity import Identity, Point, SensitivityTable, model_digest
from paddleprune.settings import PruneSettings
from paddleprune.solver import Ceiling, Costs, LayerLatency, UnitPath, amount, exchange, order_by_table

RATIOS = (0.25, 0.5, 0.8)
OPTIMAL = 1.02


class Net(nn.Layer):
    """Convolutions in a chain; with what else there is between the first two."""

    def __init__(self, kind: str, widths: tuple[int, ...]) -> None:
        super().__init__()
        first, *others = widths
        self.kind, self.stem = kind, nn.Conv2D(3, first, 3, padding=1)
        self.side = nn.Conv2D(first, first, 3, padding=1, groups=first if kind == "depthwise" else 1)
        wide = 2 * first if kind == "concat" else first
        self.rest = nn.LayerList([nn.Conv2D(a, b, 3, padding=1) for a, b in itertools.pairwise([wide, *others])])
        self.head = nn.Conv2D([wide, *others][-1], 2, 1)

    def forward(self, x):
        x = nn.functional.relu(self.stem(x))
        if self.kind == "residual":
            x = x + self.side(x)
        elif self.kind == "depthwise":
            x = self.side(x)
        elif self.kind == "concat":
            x = paddle.concat([x, self.side(x)], axis=1)
        for number, layer in enumerate(self.rest):
            x = nn.functional.relu(layer(x) if number % 2 else nn.functional.max_pool2d(layer(x), 2))
        return self.head(x)


@dataclass(frozen=True)
class Small:
    """A network, and how many units of each group may go and what is left: every combination, by the graph itself."""

    graph: paddleprune.api.layer.graph.LayerGraph
    engine: NativeEngine
    counts: np.ndarray
    costs: dict[str, np.ndarray]

    def units(self, counts) -> list[int]:
        return [unit for group, count in zip(self.engine.groups, counts, strict=True) for unit in group.order[:count]]


@cache
def small(kind: str, widths: tuple[int, ...]) -> Small:
    paddle.seed(0)
    layer = Net(kind, widths)
    layer.eval()
    graph = paddleprune.trace(layer, (1, 3, 8, 8))
    engine = NativeEngine(layer, graph.channels, "l1")
    most = [group.count(RATIOS[-1]) for group in engine.groups]
    counts = np.array(list(itertools.product(*(range(count + 1) for count in most))))
    found = Small(graph, engine, counts, {})
    left = [graph.channels.cost(found.units(row)) for row in counts]
    found.costs.update(flops=np.array([c.flops for c in left]), params=np.array([c.parameters for c in left]))
    return found


def table(net: Small, rows) -> SensitivityTable:
    groups = {
        group.name: tuple(Point(ratio=ratio, metric=0.5, loss=loss) for ratio, loss in zip(RATIOS, row, strict=False))
        for group, row in zip(net.engine.groups, rows, strict=False)
    }
    digest = model_digest(net.graph.layer)
    identity = Identity(model=digest, data="", samples=9, metric="m", higher_is_better=True, criterion="l1")
    return SensitivityTable(identity=identity, baseline=0.9, groups=groups)


def all_losses(net: Small, rows) -> np.ndarray:
    """What every combination loses: between two ratios in proportion, and never less than fewer units lose."""
    total = np.zeros(len(net.counts))
    for group, row, column in zip(net.engine.groups, rows, net.counts.T, strict=False):
        known = {0: 0.0}
        for ratio, loss in zip(RATIOS, np.maximum.accumulate([0.0, *row])[1:].tolist(), strict=True):
            known[group.count(ratio)] = loss
        known[0] = 0.0
        total += np.interp(column, list(known), list(known.values()))
    return total


def planned(net: Small, rows, **budget):
    asked = PruneSettings(**budget)
    costs, graph = Costs(net.graph.channels), net.graph
    path = paths_for(net.engine, graph.layer, graph.channels, costs, asked, table=table(net, rows))[0]
    return within(path, graph.channels, Priced(costs, None), asked)


def expected(plan) -> float:
    return sum(part.expected_loss for part in plan.groups.values())


NETS = st.builds(
    small,
    st.sampled_from(("chain", "residual", "depthwise", "concat")),
    st.sampled_from(((6, 5), (8, 4), (5, 6, 4), (4, 4, 6), (4, 5, 4, 4))),
)
ROWS = st.lists(st.lists(st.floats(-0.1, 1), min_size=3, max_size=3), min_size=5, max_size=5)
SHARE = st.floats(0.05, 1)
LIMITS = st.one_of(
    st.fixed_dictionaries({"flops": SHARE}),
    st.fixed_dictionaries({"params": SHARE}),
    st.fixed_dictionaries({"flops": SHARE, "params": SHARE}),
)


def meets(net: Small, limits) -> np.ndarray:
    return np.all([net.costs[name] <= share * net.costs[name][0] for name, share in limits.items()], axis=0)


def check(net: Small, rows, limits) -> None:
    """Met with hardly more loss than there must be, or refused with what there is."""
    fits = meets(net, limits)
    if not fits.any():
        with pytest.raises(PlanError) as refused:
            planned(net, rows, **limits)
        costs = Costs(net.graph.channels)
        least = {name: float(net.costs[name].min()) for name in ("flops", "params") if name in limits}
        missed = [name for name in least if least[name] > limits[name] * costs.dense[name]]
        asked = " and ".join(f"{name} {amount(name, limits[name] * costs.dense[name], costs)}" for name in missed)
        there = ", ".join(f"{name} {amount(name, value, costs)}" for name, value in least.items())
        assert f"{asked} can't be had: when all has gone that may go, {there} stay" in str(refused.value)
        return
    plan = planned(net, rows, **limits)
    after = {"flops": plan.after.flops, "params": plan.after.parameters}
    assert all(after[name] <= share * net.costs[name][0] for name, share in limits.items())
    assert all(part.keep for part in plan.groups.values())
    assert expected(plan) <= OPTIMAL * all_losses(net, rows)[fits].min() + 1e-6


@settings(max_examples=60, deadline=None, derandomize=True)
@given(net=NETS, rows=ROWS, limits=LIMITS)
def test_a_plan_is_the_best_that_there_is_or_there_is_none(net, rows, limits):
    check(net, rows, limits)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(net=NETS, rows=ROWS, limits=LIMITS)
def test_so_it_is_where_not_all_are_tried(net, rows, limits):
    """As in networks that are too large for that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "_ALL", 1)
        check(net, rows, limits)


@pytest.mark.parametrize("all_of_them", [True, False])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(net=NETS, rows=ROWS, limits=LIMITS, more=st.floats(1, 2), round_to=st.sampled_from((1, 2)))
def test_a_larger_budget_never_loses_more(all_of_them, net, rows, limits, more, round_to):
    larger = {name: min(share * more, 1) for name, share in limits.items()}
    with pytest.MonkeyPatch.context() as patch:
        if not all_of_them:
            patch.setattr(exchange, "_ALL", 1)
        try:
            plan = planned(net, rows, **limits, round_to=round_to)
        except PlanError:
            return
        assert expected(planned(net, rows, **larger, round_to=round_to)) <= expected(plan) + 1e-8
        assert plan == planned(net, rows, **limits, round_to=round_to)


def milliseconds(spec, reads, makes):
    """Of a CPU that takes four channels at once."""
    return 0.01 + 0.001 * -(-makes // 4) * (1 if spec.groups == 0 else -(-reads // 4)) * np.prod(spec.kernel)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(rows=ROWS, flops=SHARE, params=SHARE, latency=st.floats(0.3, 1))
def test_three_limits_are_met_wherever_they_can_be(rows, flops, params, latency):
    net = small("depthwise", (5, 6, 4))
    graph = net.graph.channels
    with noting_calls(net.graph.layer) as calls:
        net.graph.layer(paddle.zeros([1, 3, 8, 8]))
    costs = Costs(graph, LayerLatency(graph, calls, milliseconds, 4))
    ceiling = Ceiling({n: s * costs.dense[n] for n, s in (("flops", flops), ("params", params), ("latency", latency))})
    order = order_by_table(net.engine.groups, table(net, rows), costs, Ceiling(dict.fromkeys(ceiling.limits, 0.0)))
    plan = UnitPath(graph, order, costs, ceiling).at_most(ceiling)
    fits = np.array([ceiling.met(costs.total(net.units(row))) for row in net.counts])
    assert ceiling.met(costs.of(plan)) == fits.any()
    if fits.any():
        assert expected(plan) <= OPTIMAL * all_losses(net, rows)[fits].min() + 1e-6
