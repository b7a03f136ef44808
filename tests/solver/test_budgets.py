"""Budgets: met by every plan, or refused in a line that is true."""

from __future__ import annotations

import itertools
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
from paddleprune.errors import ConfigError, PlanError
from paddleprune.sensitivity import Identity, Point, SensitivityTable, model_digest
from paddleprune.settings import Budget, PruneSettings
from paddleprune.solver import Costs
from paddleprune.validation import validated

RATIOS = (0.2, 0.4, 0.6, 0.8)
SHARE = st.floats(0.02, 1)


@cache
def network():
    """Three convolutions and a linear layer, whose costs depend on each other: its graph, engine and costs."""
    paddle.seed(0)
    layer = nn.Sequential(
        *(nn.Conv2D(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2D(8, 10, 3, padding=1), nn.ReLU(), nn.MaxPool2D(4)),
        *(nn.Conv2D(10, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(24, 12), nn.ReLU(), nn.Linear(12, 2)),
    )
    graph = paddleprune.trace(layer, (1, 3, 8, 8))
    return graph, NativeEngine(layer, graph.channels, "l1"), Costs(graph.channels)


def table(losses) -> SensitivityTable:
    """Group by group the losses at RATIOS."""
    graph, engine, _ = network()
    groups = {
        group.name: tuple(Point(ratio=ratio, metric=0.5, loss=loss) for ratio, loss in zip(RATIOS, row, strict=True))
        for group, row in zip(engine.groups, losses, strict=True)
    }
    identity = Identity(
        model=model_digest(graph.layer), data="", samples=9, metric="m", higher_is_better=True, criterion="l1"
    )
    return SensitivityTable(identity=identity, baseline=0.9, groups=groups)


LOSSES = st.lists(st.lists(st.floats(-0.1, 1.5), min_size=4, max_size=4), min_size=4, max_size=4)


def plan(losses, **budget):
    """The plan of a budget, by a table of these losses."""
    graph, engine, costs = network()
    asked = PruneSettings(**budget)
    path = paths_for(engine, graph.layer, graph.channels, costs, asked, table=table(losses))[0]
    return within(path, graph.channels, Priced(costs, None), asked)


def shares(found):
    return found.after.flops / found.before.flops, found.after.parameters / found.before.parameters


@settings(max_examples=40, deadline=None)
@given(losses=LOSSES, flops=SHARE, params=SHARE)
def test_a_plan_meets_every_limit_or_there_is_none(losses, flops, params):
    _, engine, costs = network()
    budget = {"flops": flops, "params": params}
    least = costs.total([unit for group in engine.groups for unit in group.order[: group.count(RATIOS[-1])]])
    if any(least[name] > share * costs.dense[name] for name, share in budget.items()):
        with pytest.raises(PlanError, match="can't be had: when all has gone that may go"):
            plan(losses, **budget)
        return
    found = plan(losses, **budget)
    assert shares(found)[0] <= flops
    assert shares(found)[1] <= params
    assert all(part.keep for part in found.groups.values())
    assert found.budget == budget
    assert found == plan(losses, **budget)


@settings(max_examples=20, deadline=None)
@given(losses=LOSSES, name=st.sampled_from(("flops", "params")), place=st.floats(0, 1), further=st.floats(0, 1))
def test_less_is_cut_from_what_more_leaves_along_a_path(losses, name, place, further):
    """A search for a loss goes there. What a budget gets may be an exchange, which need not be on the path."""
    graph, engine, costs = network()
    asked = PruneSettings(save=name)
    path = paths_for(engine, graph.layer, graph.channels, costs, asked, table=table(losses))[0]
    found, less = path.plan(place), path.plan(place + further * (1 - place))
    for group, part in found.groups.items():
        assert set(less.groups[group].keep) <= set(part.keep)


def curves():
    """Losses that rise with the ratio, as those that are measured mostly do."""
    rise = st.tuples(st.floats(0.05, 0.8), st.floats(0.7, 3))
    return st.lists(rise, min_size=4, max_size=4).map(
        lambda rows: [[top * ratio**power for ratio in RATIOS] for top, power in rows]
    )


@settings(max_examples=15, deadline=None, derandomize=True)
@given(losses=curves(), flops=st.sampled_from((0.3, 0.5, 0.7)))
def test_no_combination_of_the_tables_own_steps_loses_less(losses, flops):
    """Found by brute force; what lies between two steps may lose less still."""
    _, engine, costs = network()
    found = plan(losses, flops=flops)
    mine = sum(part.expected_loss for part in found.groups.values())
    steps = [
        [(0, 0.0), *zip(map(group.count, RATIOS), row, strict=True)]
        for group, row in zip(engine.groups, losses, strict=True)
    ]
    within_limit = [
        sum(loss for _, loss in chosen)
        for chosen in itertools.product(*steps)
        if costs.total([u for g, (n, _) in zip(engine.groups, chosen, strict=True) for u in g.order[:n]])["flops"]
        <= flops * costs.dense["flops"]
    ]
    assert mine <= min(within_limit) + 1e-6


def test_rounded_plans_meet_their_limit_too():
    found = plan([[0.0, 0.1, 0.2, 0.3]] * 4, flops=0.6, round_to=2)
    assert shares(found)[0] <= 0.6
    assert all(len(part.keep) % 2 == 0 for part in found.groups.values())


def test_any_layer_to_a_budget():
    graph, _, _ = network()
    images = np.random.default_rng(0).standard_normal((48, 3, 8, 8)).astype("float32")
    for budget in ({"flops": 0.5}, {"params": 0.4}, {"flops": "40k", "params": "50%"}):
        for how in ({}, {"calibration": images}):
            found = paddleprune.plan(graph, **budget, **how).plan
            limits = Budget(**budget).limits
            after = {"flops": found.after.flops, "params": found.after.parameters}
            before = {"flops": found.before.flops, "params": found.before.parameters}
            for name, limit in limits.items():
                assert after[name] <= (limit * before[name] if limit <= 1 else limit)
            assert found.criterion == ("obs" if how else "l1")
    half = paddleprune.plan(graph, 0.5).plan
    assert {part.ratio for part in half.groups.values()} == {0.5}
    assert set(half.groups) == {group.name for group in graph.channels.prunable}
    first = graph.channels.prunable[0].name
    assert set(paddleprune.plan(graph, 0.5, only=first).plan.groups) == {first}
    assert first not in paddleprune.plan(graph, flops=0.8, exclude=first).plan.groups
    with pytest.raises(ConfigError, match="no group is called 'backbone"):
        paddleprune.plan(graph, 0.5, only="backbone.*")
    with pytest.raises(ConfigError, match="not both: leave flops out"):
        paddleprune.plan(graph, 0.5, flops=0.5)
    with pytest.raises(ConfigError, match=r"a budget such as flops=0\.5"):
        paddleprune.plan(graph)


def test_a_table_says_how_much_of_each_group_goes_and_samples_say_which_units():
    graph, engine, _ = network()
    known = table([[0.0, 0.1, 0.2, 0.3], [0.0, 0.1, 0.2, 0.3], [0.5, 0.6, 0.7, 0.8], [0.0, 0.1, 0.2, 0.3]])
    images = np.random.default_rng(0).standard_normal((48, 3, 8, 8)).astype("float32")
    by_table = paddleprune.plan(graph, known, flops=0.6).plan
    by_both = paddleprune.plan(graph, known, flops=0.6, calibration=images).plan
    assert (by_table.criterion, by_both.criterion) == ("l1", "obs")
    dear = engine.groups[2].name
    assert dear not in by_both.groups
    assert dear in paddleprune.plan(graph, flops=0.6, calibration=images).plan.groups
    assert {name: part.keep for name, part in by_both.groups.items()} != {
        name: part.keep for name, part in by_table.groups.items()
    }
    assert all(part.expected_loss is not None for part in by_both.groups.values())


@pytest.mark.parametrize("dear", range(4))
def test_where_both_can_be_had_the_one_is_taken_that_measures_better(dear):
    graph, _, _ = network()
    images = np.random.default_rng(0).standard_normal((48, 3, 8, 8)).astype("float32")
    wanted = graph.layer(paddle.to_tensor(images)).numpy()

    def kept(layer) -> float:
        return 1 - float(np.square(layer(paddle.to_tensor(images)).numpy() - wanted).mean() / wanted.var())

    losses = [[0.9, 1.0, 1.1, 1.2] if group == dear else [0.0, 0.1, 0.2, 0.3] for group in range(4)]
    plans = [paddleprune.plan(graph, *how, flops=0.6, calibration=images) for how in ([table(losses)], [])]
    lost = []
    for one in plans:
        paddleprune.shrink(graph.layer, one, calibration=images)
        lost.append(1 - kept(graph.layer))
        one.undo(graph.layer)
    found = paddleprune.prune_layer(graph, kept, calibration=images, table=table(losses), flops=0.6)
    joint = found.plan.joint
    found.undo(graph.layer)
    assert lost[0] != lost[1]
    assert joint.repaired == pytest.approx(min(lost), abs=1e-6)
    assert joint.tried == 2


def test_what_cannot_be_had_says_what_can_and_what_holds_it_back():
    graph, _, _ = network()
    with pytest.raises(
        PlanError, match=r"flops 0\.001 \(\d+\) can't be had: when all has gone that may go, flops 0\.0"
    ):
        paddleprune.plan(graph, flops=0.001)
    with pytest.raises(PlanError, match=r"params .*; whole: 10 \(feeds an output"):
        paddleprune.plan(graph, params=0.001)
    with pytest.raises(PlanError, match=r"flops .*; whole: .*\(may go, but is left out\)"):
        paddleprune.plan(graph, flops=0.01, exclude=graph.channels.prunable[1].name)


@pytest.mark.parametrize(
    ("given_", "limits"),
    [
        ({"flops": "150M", "params": "50%"}, {"flops": 150e6, "params": 0.5}),
        ({"flops": "1.2g"}, {"flops": 1.2e9}),
        ({"params": 300_000}, {"params": 300_000.0}),
        ({"flops": ".5", "params": "20k"}, {"flops": 0.5, "params": 20e3}),
    ],
)
def test_amounts(given_, limits):
    assert Budget(**given_).limits == limits


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"flops": "half"}, "must be a share that may stay, such as 0.5, or a number, such as 150M, not 'half'"),
        ({"params": 0}, "not 0"),
        ({"flops": -1}, "not -1"),
        ({"flops": "nan"}, "not 'nan'"),
        (
            {"flops": 0.5, "eval_metric_loss": 0.1},
            "eval_metric_loss decides by itself what goes: leave it out, or flops",
        ),
    ],
)
def test_amounts_that_cannot_be(given_, said):
    with pytest.raises(ConfigError, match=said):
        validated(Budget, given_, "prune", "setting")
