"""Ratios and rankings to a plan: which units go, rounded to what keeps every layer whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from paddleprune.amounts import likely
from paddleprune.errors import PlanError
from paddleprune.graph import ChannelGraph, Group
from paddleprune.graph.branches import outermost
from paddleprune.interfaces import Array
from paddleprune.pruning.plan import BranchPlan, Counts, GroupPlan, Plan


def make_plan(
    graph: ChannelGraph,
    ratios: Mapping[str, float],
    rankings: Mapping[str, list[int]],
    *,
    criterion: str,
    round_to: int = 1,
    branches: Mapping[str, float | None] | None = None,
) -> Plan:
    """Turn ratios into units.

    Args:
        graph: the network's channel graph.
        ratios: group name -> share of its units to remove.
        rankings: group name -> indices of its units that can go together, least important first, as `rank` gives them.
        criterion: what made the rankings.
        round_to: every layer that loses filters keeps a multiple of this many, by keeping more if need be; a
            group where that can't be stays whole.
        branches: the branches that go -> the metric loss that the table expects, if there is one. What is nowhere but
            in them is left out of the plan.

    Raises:
        UnknownNameError: a name isn't a group of the graph.
        PlanError: a group is protected, a ratio isn't from 0 to below 1, or round_to isn't positive.
    """
    if round_to < 1:
        raise PlanError(f"round_to must be 1 or more, got {round_to}")
    groups: dict[str, GroupPlan] = {}
    whole = outermost(branch for branch in graph.branches if branch.name in (branches or {}))
    within = frozenset(unit for branch in whole for unit in graph.inside(branch))
    for name, ratio in ratios.items():
        group = graph[name]
        if group.units and within.issuperset(group.units):
            continue
        if group.protected:
            raise PlanError(f"{name!r} may not be pruned: {group.protected}")
        if not 0 <= ratio < 1:
            raise PlanError(f"the ratio of {name!r} must be between 0 and 1, got {ratio}{likely(ratio)}")
        order, asked = rankings[name], group.count(ratio)
        counts = allowed_counts(graph, group, order[:asked], round_to)
        gone = set(order[: int(counts[-1])])
        if gone:
            groups[name] = GroupPlan(
                units=group.size,
                keep=tuple(i for i in range(group.size) if i not in gone),
                ratio=ratio,
                most=len(order) if asked > len(order) else None,
            )
    before = graph.cost()
    plan = Plan(
        eval_metric_loss=None,
        criterion=criterion,
        groups=groups,
        branches={branch.name: BranchPlan(expected_loss=(branches or {})[branch.name]) for branch in whole},
        before=Counts(parameters=before.parameters, flops=before.flops),
        after=Counts(parameters=before.parameters, flops=before.flops),
    )
    after = graph.cost(plan.removed(graph))
    return plan.model_copy(update={"after": Counts(parameters=after.parameters, flops=after.flops)})


def allowed_counts(graph: ChannelGraph, group: Group, ranking: Sequence[int], round_to: int) -> Array:
    """How many units may go so that every producer keeps a multiple of `round_to` filters: ascending, 0 among them.

    Args:
        graph: the network's channel graph.
        group: one of its groups.
        ranking: indices of its units, in the order in which they go.
        round_to: the multiple.
    """
    if round_to == 1:
        return np.arange(len(ranking) + 1)
    owned = [axis.units for axis in graph.axes_of[group.name] if axis.role == "own"]
    filters = np.zeros((len(owned), len(ranking) + 1), np.int64)
    for row, units in zip(filters, owned, strict=True):
        row[1:] = [(units == group.units[i]).sum() for i in ranking]
        row[:] = len(units) - np.cumsum(row)
    found = np.flatnonzero((filters % round_to == 0).all(axis=0))
    return found if found.size and found[0] == 0 else np.concatenate([[0], found])
