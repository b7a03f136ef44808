"""From nothing to all that can go: plans in a row, each cutting what the one before it cuts, and more."""

from __future__ import annotations

from typing import Protocol

from paddleprune.graph import ChannelGraph
from paddleprune.pruning import Plan, make_plan, solve
from paddleprune.pruning.solver import Planner
from paddleprune.repair.order import Order
from paddleprune.sensitivity import SensitivityTable

_ALMOST = 0.99
"""The largest ratio of a group: one unit stays."""


class Path(Protocol):
    """Plans in a row."""

    def plan(self, place: float) -> Plan:
        """The plan at a place from 0, where nothing goes, to 1, where all goes that can."""


class UnitPath:
    """Along the units' own order: the place is the share of the FLOPs that can go at most.

    Args:
        graph: the network's channel graph.
        order: its units.
        round_to: channels of every pruned convolution stay a multiple of this.
    """

    def __init__(self, graph: ChannelGraph, order: Order, round_to: int = 1) -> None:
        self._graph, self._order, self._round_to = graph, order, round_to
        self._dense = graph.cost().flops
        self._least = graph.cost(order.units).flops

    def plan(self, place: float) -> Plan:
        """The plan at a place."""
        return self.plan_for(round(self._dense - place * (self._dense - self._least)))

    def plan_for(self, flops: int) -> Plan:
        """The plan that leaves at most so many FLOPs, before rounding; the smallest one, if none does."""
        places = {unit: (group.name, i) for group in self._graph.prunable for i, unit in enumerate(group.units)}
        rankings: dict[str, list[int]] = {}
        for unit in self._order.until(self._graph, flops):
            name, place = places[unit]
            rankings.setdefault(name, []).append(place)
        ratios = {name: len(ranking) / self._graph[name].size for name, ranking in rankings.items()}
        return make_plan(self._graph, ratios, rankings, criterion="obs", round_to=self._round_to)


class UniformPath:
    """The same ratio of every group: the place is the ratio.

    Args:
        planner: the engine of the network; its criterion ranks the units.
        round_to: channels of every pruned convolution stay a multiple of this.
        whole: groups that stay whole.
    """

    def __init__(self, planner: Planner, round_to: int = 1, whole: frozenset[str] = frozenset()) -> None:
        self._planner, self._round_to, self._whole = planner, round_to, whole

    def plan(self, place: float) -> Plan:
        """The plan at a place."""
        ratio = min(place, _ALMOST)
        ratios = {group.name: ratio for group in self._planner.groups if group.name not in self._whole}
        return self._planner.plan(ratios, round_to=self._round_to)


class TablePath:
    """Along a table's tolerances: the place is that of a tolerance among the losses that were measured.

    Args:
        planner: the engine of the network, with the table's criterion.
        table: its sensitivity table.
        round_to: channels of every pruned convolution stay a multiple of this.
        whole: groups that stay whole.
    """

    def __init__(
        self, planner: Planner, table: SensitivityTable, round_to: int = 1, whole: frozenset[str] = frozenset()
    ) -> None:
        self._planner, self._table, self._round_to, self._whole = planner, table, round_to, whole
        losses = {max(p.loss, 0.0) for points in table.groups.values() for p in points if p.loss < 1}
        self._losses = sorted(losses | {0.0})

    def plan(self, place: float) -> Plan:
        """The plan at a place."""
        at = place * (len(self._losses) - 1)
        low = self._losses[int(at)]
        high = self._losses[min(int(at) + 1, len(self._losses) - 1)]
        return solve(self._planner, self._table, low + (at - int(at)) * (high - low), self._round_to, self._whole)
