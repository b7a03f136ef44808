"""From nothing to all that can go: plans in a row, each cutting what the one before it cuts, and more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from paddleprune.graph import ChannelGraph
from paddleprune.pruning import Plan, make_plan
from paddleprune.sensitivity import SensitivityTable
from paddleprune.solver.costs import Ceiling, Costs
from paddleprune.solver.order import Order
from paddleprune.solver.tolerance import Planner, solve

_ALMOST = 0.99
"""The largest ratio of a group: one unit stays."""
_HALVINGS = 14


class Path(Protocol):
    """Plans in a row."""

    def plan(self, place: float) -> Plan:
        """The plan at a place from 0, where nothing goes, to 1, where all goes that can."""

    def at_most(self, ceiling: Ceiling) -> Plan:
        """The first plan within a ceiling; the last one, if none is."""


class UnitPath:
    """Along an order of units: the place is the share of what can be saved at most.

    Args:
        graph: the network's channel graph.
        order: its units.
        costs: of the network.
        ceiling: says which cost a place is a share of.
        round_to: channels of every pruned convolution stay a multiple of this.
    """

    def __init__(self, graph: ChannelGraph, order: Order, costs: Costs, ceiling: Ceiling, round_to: int = 1) -> None:
        self._graph, self._order, self._costs, self._round_to = graph, order, costs, round_to
        self._save, self._least = ceiling.save, costs.total(order.units)
        self._places = {unit: (group.name, i) for group in graph.prunable for i, unit in enumerate(group.units)}

    def plan(self, place: float) -> Plan:
        """The plan at a place."""
        dense, least = self._costs.dense[self._save], self._least[self._save]
        target = Ceiling({self._save: dense - place * (dense - least)})
        return self._plan(self._order.until(self._costs, target))

    def at_most(self, ceiling: Ceiling) -> Plan:
        """The first plan within a ceiling; the last one, if none is."""
        low, high = self._order.until(self._costs, ceiling), len(self._order.units)
        if self._round_to == 1:
            return self._plan(low)
        while low < high:
            middle = (low + high) // 2
            if ceiling.met(self._costs.of(self._plan(middle))):
                high = middle
            else:
                low = middle + 1
        return self._plan(low)

    def _plan(self, count: int) -> Plan:
        """What the first units of the order leave."""
        rankings: dict[str, list[int]] = {}
        expected: dict[str, float] = {}
        for unit, loss in zip(self._order.units[:count], self._order.losses, strict=False):
            name, place = self._places[unit]
            rankings.setdefault(name, []).append(place)
            expected[name] = expected.get(name, 0.0) + loss
        return make_plan(
            self._graph,
            {name: len(ranking) / self._graph[name].size for name, ranking in rankings.items()},
            rankings,
            criterion=self._order.criterion,
            expected=expected if self._order.expects else None,
            round_to=self._round_to,
        )


class UniformPath:
    """The same ratio of every group: the place is the ratio.

    Args:
        planner: the engine of the network; its criterion ranks the units.
        costs: of the network.
        round_to: channels of every pruned convolution stay a multiple of this.
        whole: groups that stay whole.
    """

    def __init__(self, planner: Planner, costs: Costs, round_to: int = 1, whole: frozenset[str] = frozenset()) -> None:
        self._planner, self._costs, self._round_to, self._whole = planner, costs, round_to, whole

    def plan(self, place: float) -> Plan:
        """The plan at a place."""
        ratio = min(place, _ALMOST)
        ratios = {group.name: ratio for group in self._planner.groups if group.name not in self._whole}
        return self._planner.plan(ratios, round_to=self._round_to)

    def at_most(self, ceiling: Ceiling) -> Plan:
        """The first plan within a ceiling; the last one, if none is."""
        return _first_within(self.plan, self._costs, ceiling)


class TolerancePath:
    """Along a table's tolerances: the place is that of a tolerance among the losses that were measured.

    Args:
        planner: the engine of the network, with the table's criterion.
        table: its sensitivity table.
        costs: of the network.
        round_to: channels of every pruned convolution stay a multiple of this.
        whole: groups that stay whole.
    """

    def __init__(
        self,
        planner: Planner,
        table: SensitivityTable,
        costs: Costs,
        round_to: int = 1,
        whole: frozenset[str] = frozenset(),
    ) -> None:
        self._planner, self._table, self._costs = planner, table, costs
        self._round_to, self._whole = round_to, whole
        losses = {max(p.loss, 0.0) for points in table.groups.values() for p in points if p.loss < 1}
        self._losses = sorted(losses | {0.0})

    def plan(self, place: float) -> Plan:
        """The plan at a place."""
        tolerance = _between(self._losses, place * (len(self._losses) - 1))
        return solve(self._planner, self._table, tolerance, self._round_to, self._whole)

    def at_most(self, ceiling: Ceiling) -> Plan:
        """The first plan within a ceiling; the last one, if none is."""
        return _first_within(self.plan, self._costs, ceiling)


def _first_within(plan: Callable[[float], Plan], costs: Costs, ceiling: Ceiling) -> Plan:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if ceiling.met(costs.of(plan(middle))) else (middle, high)
    return plan(high)


def _between(values: Sequence[float], at: float) -> float:
    """A value at a place between two others."""
    low, high = values[int(at)], values[min(int(at) + 1, len(values) - 1)]
    return low + (at - int(at)) * (high - low)
