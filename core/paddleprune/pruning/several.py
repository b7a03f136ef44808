"""Cuts that were made one after the other, as one plan of the dense network."""

from __future__ import annotations

import numpy as np

from paddleprune.errors import PlanError, UnknownNameError
from paddleprune.graph import ChannelGraph
from paddleprune.graph.branches import outermost
from paddleprune.pruning.plan import Counts, GroupPlan, Plan


def joined(first: Plan, dense: ChannelGraph, second: Plan, graph: ChannelGraph) -> Plan | None:
    """What went of the dense network by two cuts.

    Args:
        first: the earlier cut, which may be several already.
        dense: the channel graph of the network that it was made of.
        second: the later cut, carried out.
        graph: the channel graph of what the first one left.

    Returns:
        One plan of both, with the budget in numbers. Its certificate, repair, losses and latency are those of the
        later cut, whose weights there are. None where the dense network has no units that are what went: by another
        engine's numbers, or since the smaller network's channels hang together otherwise.
    """
    if (first.engine, second.engine) != ("native", "native"):
        return None
    try:
        plan = _plan(first, dense, second, _units(first, dense, second, graph))
        left = dense.cost(plan.removed(dense))
    except (PlanError, UnknownNameError, _OtherwiseError):
        return None
    return plan if (left.parameters, left.flops) == (second.after.parameters, second.after.flops) else None


class _OtherwiseError(ValueError):
    """The smaller network's channels hang together otherwise than the dense one's."""


def _units(first: Plan, dense: ChannelGraph, second: Plan, graph: ChannelGraph) -> frozenset[int]:
    """The dense network's units that went: those that stand where the later cut took something."""
    earlier, gone = first.removed(dense), np.array(second.removed(graph), np.int64)
    kept, units = dense.keeps(earlier), set(earlier)
    now = {(axis.parameter, axis.axis): axis.units for axis in graph.axes}
    for axis in dense.axes:
        later = now.get((axis.parameter, axis.axis))
        if later is None:
            continue
        there = axis.units[kept.get(axis.parameter, {}).get(axis.axis, slice(None))]
        if len(there) != len(later):
            raise _OtherwiseError(axis.parameter)
        units.update(there[np.isin(later, gone)].tolist())
    return frozenset(units)


def _plan(first: Plan, dense: ChannelGraph, second: Plan, units: frozenset[int]) -> Plan:
    """The plan in which these units go, and the branches of both."""
    branches = {**first.branches, **second.branches}
    whole = outermost(branch for branch in dense.branches if branch.name in branches)
    within = frozenset(unit for branch in whole for unit in dense.inside(branch))
    groups: dict[str, GroupPlan] = {}
    for group in dense.groups:
        keep = tuple(i for i, unit in enumerate(group.units) if unit not in units)
        count = len(group.units)
        if len(keep) == count or within.issuperset(group.units):
            continue
        if not keep:
            raise _OtherwiseError(group.name)
        groups[group.name] = GroupPlan(units=count, keep=keep, ratio=1 - len(keep) / count)
    both = {
        "model": first.model,
        "budget": _in_numbers(second.budget, second.before),
        "groups": groups,
        "branches": {branch.name: branches[branch.name] for branch in whole},
        "before": first.before,
    }
    return second.model_copy(update=both)


def _in_numbers(budget: dict[str, float | str], before: Counts) -> dict[str, float | str]:
    """A budget whose shares are of the network between the cuts, as numbers, which are the same of any."""
    counted = {"flops": before.flops, "params": before.parameters}
    return {
        name: limit * counted[name] if name in counted and isinstance(limit, float) and limit <= 1 else limit
        for name, limit in budget.items()
    }
