"""What can't be had is said at once, with what can, and what holds it back."""

from __future__ import annotations

from collections.abc import Mapping

from paddleprune.console import listed
from paddleprune.errors import PlanError
from paddleprune.graph import ChannelGraph, Group
from paddleprune.pruning import Plan
from paddleprune.settings import CostName
from paddleprune.solver.costs import Ceiling, Costs, amount

_LEFT_OUT = "may go, but is left out"
_WORTH_NAMING = 0.01
"""The share of what stays that a group must take part in."""


def check_reach(
    graph: ChannelGraph, costs: Costs, ceiling: Ceiling, last: Plan, least: Mapping[CostName, float]
) -> None:
    """Refuse a ceiling that no plan is within.

    Cutting more never costs more, so that what is left when all has gone that may go is the least of every cost.

    Args:
        graph: the network's channel graph.
        costs: of the network.
        ceiling: what is asked for.
        last: the plan in which all goes that may go.
        least: what stays then.

    Raises:
        PlanError: naming the limits that can't be met, the reach of every one, and the groups that hold it back.
    """
    missed = [name for name, limit in ceiling.limits.items() if least[name] > limit]
    if not missed:
        return
    asked = " and ".join(f"{name} {amount(name, ceiling.limits[name], costs)}" for name in missed)
    reach = ", ".join(f"{name} {amount(name, least[name], costs)}" for name in ceiling.limits)
    raise PlanError(
        f"{asked} can't be had: when all has gone that may go, {reach} stay{_held_back(graph, costs, last, missed[0])}"
    )


def _held_back(graph: ChannelGraph, costs: Costs, last: Plan, name: CostName) -> str:
    if last.engine != "native":
        return ""
    gone = last.removed(graph)
    weighted = costs.savings(gone, {name: 1.0})
    left = max(costs.total(gone)[name], 1e-9)

    def share(group: Group) -> float:
        return float(weighted[[*group.units, *group.stay]].sum()) / left

    whole = [group for group in graph.groups if group.name not in last.groups and share(group) > _WORTH_NAMING]
    if not whole:
        return ""
    held = sorted(whole, key=share, reverse=True)
    return f"; whole: {listed([f'{group.name} ({group.protected or _LEFT_OUT})' for group in held])}"
