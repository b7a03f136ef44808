"""From nothing to all that can go: plans in a row, each cutting what the one before it cuts, and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from heapq import heappop, heappush
from math import inf
from typing import Protocol

import numpy as np

from paddleprune.graph import ChannelGraph
from paddleprune.pruning import Plan, make_plan
from paddleprune.pruning.make import allowed_counts
from paddleprune.sensitivity import SensitivityTable
from paddleprune.settings import CostName
from paddleprune.solver.costs import Ceiling, Costs
from paddleprune.solver.exchange import Exchange
from paddleprune.solver.order import Order
from paddleprune.solver.space import Curve, Space
from paddleprune.solver.tolerance import Planner, solve

_ALMOST = 0.99
"""The largest ratio of a group: one unit stays."""
_HALVINGS = 14


class Path(Protocol):
    """Plans in a row."""

    def plan(self, place: float) -> Plan:
        """The plan at a place from 0, where nothing goes, to 1, where all goes that can."""

    def at_most(self, ceiling: Ceiling) -> Plan:
        """The first plan within a ceiling, or a better one beside the path; the last one, if none is."""

    def rounded(self, round_to: int) -> Path:
        """The same path with channels of every pruned convolution a multiple of this."""

    def lost(self, plan: Plan) -> float:
        """What a plan is expected to lose, to be compared with other plans of the path."""


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
        self._losses = dict(zip(order.units, order.losses, strict=True))
        self._places = {unit: (group.name, i) for group in graph.prunable for i, unit in enumerate(group.units)}
        self._best: dict[tuple[CostName, ...], Exchange] = {}
        self._branches = {branch.unit: branch.name for branch in graph.branches}

    def plan(self, place: float) -> Plan:
        """The plan at a place."""
        dense, least = self._costs.dense[self._save], self._least[self._save]
        target = Ceiling({self._save: dense - place * (dense - least)})
        return self._first(self._order.until(self._costs, target))

    def at_most(self, ceiling: Ceiling) -> Plan:
        """The plan within a ceiling that is expected to lose least, as far as one is found; the last one, if none is.

        Where the losses are a table's, units are exchanged between groups, so that this need not be a plan of the
        path, along which a search for a loss goes; a larger ceiling of the same costs never gets one that loses more.
        Else it is the path's first one within, filled up: what samples say of a unit holds once those before it have
        gone, not once others have.
        """
        low, high = self._order.until(self._costs, ceiling), len(self._order.units)
        if self._order.expects and self._order.units and ceiling.limits:
            return self._exchanged(ceiling, low)
        if self._round_to == 1:
            return self._first(low)
        while low < high:
            middle = (low + high) // 2
            if ceiling.met(self._costs.of(self._first(middle))):
                high = middle
            else:
                low = middle + 1
        return self._filled(self._rankings(low), self._whole(low), ceiling)

    def rounded(self, round_to: int) -> Path:
        """The same path with channels of every pruned convolution a multiple of this."""
        found = copy(self)
        found._round_to, found._best = round_to, {}
        return found

    def _exchanged(self, ceiling: Ceiling, count: int) -> Plan:
        """Of the plans that nothing beats and the path's first one within a ceiling the one that loses least."""
        names = tuple(ceiling.limits)
        rankings = self._rankings(len(self._order.units))
        curves = [self._curve(name, ranking) for name, ranking in rankings.items()]
        if names not in self._best:
            self._best[names] = Exchange(Space(curves, self._costs, names))
        found = [self._plan(self._rankings(count))] if self._round_to == 1 else []
        for levels in self._best[names].within(np.array([ceiling.limits[name] for name in names])):
            counts = (int(curve.counts[level]) for curve, level in zip(curves, levels, strict=True))
            plan = self._plan(
                {name: rankings[name][:many] for name, many in zip(rankings, counts, strict=True) if many}
            )
            if ceiling.met(self._costs.of(plan)):
                found.insert(0, plan)
                break
        return min(found, key=_expected) if found else self._plan(rankings)

    def _curve(self, name: str, ranking: list[int]) -> Curve:
        units = [self._graph[name].units[place] for place in ranking]
        counts = allowed_counts(self._graph, self._graph[name], ranking, self._round_to)
        return Curve(units, counts, np.cumsum([0.0, *(self._losses[unit] for unit in units)])[counts])

    def lost(self, plan: Plan) -> float:
        """What a plan is expected to lose; the FLOPs that go, if the order doesn't say."""
        losses = sum(self._losses.get(unit, 0.0) for unit in plan.removed(self._graph))
        return losses or _gone_flops(plan)

    def _rankings(self, count: int) -> dict[str, list[int]]:
        """Group -> which of its units are among the first of the order, in that order."""
        found: dict[str, list[int]] = {}
        for unit in self._order.units[:count]:
            if unit in self._branches:
                continue
            name, place = self._places[unit]
            found.setdefault(name, []).append(place)
        return found

    def _whole(self, count: int) -> list[int]:
        """The branches among the first of the order."""
        return [unit for unit in self._order.units[:count] if unit in self._branches]

    def _first(self, count: int) -> Plan:
        return self._plan(self._rankings(count), self._whole(count))

    def _plan(self, rankings: Mapping[str, list[int]], branches: Sequence[int] = ()) -> Plan:
        plan = make_plan(
            self._graph,
            {name: len(ranking) / self._graph[name].size for name, ranking in rankings.items()},
            rankings,
            criterion=self._order.criterion,
            round_to=self._round_to,
            branches={self._branches[u]: self._losses[u] if self._order.expects else None for u in branches},
        )
        if not self._order.expects:
            return plan
        return plan.expecting({name: self._lost(name, ranking) for name, ranking in rankings.items()})

    def _filled(self, rankings: Mapping[str, list[int]], branches: Sequence[int], ceiling: Ceiling) -> Plan:
        """A rounded plan with blocks of channels given back, most useful first, as long as that stays within."""
        counts = {name: self._allowed(name, ranking) for name, ranking in rankings.items()}
        units = {name: [self._graph[name].units[i] for i in ranking] for name, ranking in rankings.items()}
        now = self._costs.total([*branches, *_gone(units, counts)])
        offers = [(-inf, name) for name in counts]
        while offers:
            said, name = heappop(offers)
            value = self._offer(name, units, counts, branches, now, ceiling)
            if value is None:  # what doesn't fit now never will
                continue
            if said > -inf and (not offers or -value <= offers[0][0]):
                counts[name].pop()
                now = self._costs.total([*branches, *_gone(units, counts)])
                value = inf
            heappush(offers, (-value, name))
        left = {name: ranking[: counts[name][-1]] for name, ranking in rankings.items() if counts[name][-1]}
        return self._plan(left, branches)

    def _allowed(self, name: str, ranking: list[int]) -> list[int]:
        found: list[int] = allowed_counts(self._graph, self._graph[name], ranking, self._round_to).tolist()
        return found

    def _offer(
        self,
        name: str,
        units: Mapping[str, list[int]],
        counts: Mapping[str, list[int]],
        branches: Sequence[int],
        now: Mapping[CostName, float],
        ceiling: Ceiling,
    ) -> float | None:
        """What the next block of a group is worth for what it costs; None if it doesn't fit, or nothing has gone."""
        if len(counts[name]) < 2:
            return None
        after = self._costs.total([*branches, *_gone(units, {**counts, name: counts[name][:-1]})])
        if not ceiling.met(after):
            return None
        back = units[name][counts[name][-2] : counts[name][-1]]
        losses = sum(self._losses[unit] for unit in back)
        price = max((after[cost] - now[cost]) / limit for cost, limit in ceiling.limits.items())
        return (losses or after["flops"] - now["flops"]) / max(price, 1e-9)

    def _lost(self, name: str, ranking: list[int]) -> float:
        units = self._graph[name].units
        return sum(self._losses[units[place]] for place in ranking)


def _gone(units: Mapping[str, list[int]], counts: Mapping[str, list[int]]) -> list[int]:
    return [unit for name, some in units.items() for unit in some[: counts[name][-1]]]


class _PlannerPath:
    """What paths share whose plans an engine makes from ratios."""

    def __init__(self, planner: Planner, costs: Costs, round_to: int, whole: frozenset[str]) -> None:
        self._planner, self._costs, self._round_to, self._whole = planner, costs, round_to, whole

    def plan(self, place: float) -> Plan:
        """The plan at a place."""
        raise NotImplementedError

    def at_most(self, ceiling: Ceiling) -> Plan:
        """The first plan within a ceiling; the last one, if none is."""
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            met = ceiling.met(self._costs.of(self.plan(middle)))
            low, high = (low, middle) if met else (middle, high)
        return self.plan(high)

    def rounded(self, round_to: int) -> Path:
        """The same path with channels of every pruned convolution a multiple of this."""
        found = copy(self)
        found._round_to = round_to
        return found

    def lost(self, plan: Plan) -> float:
        """The share of the FLOPs that go: more of them cost more."""
        return _gone_flops(plan)


class UniformPath(_PlannerPath):
    """The same ratio of every group: the place is the ratio.

    Args:
        planner: the engine of the network; its criterion ranks the units.
        costs: of the network.
        round_to: channels of every pruned convolution stay a multiple of this.
        whole: groups that stay whole.
    """

    def __init__(self, planner: Planner, costs: Costs, round_to: int = 1, whole: frozenset[str] = frozenset()) -> None:
        super().__init__(planner, costs, round_to, whole)

    def plan(self, place: float) -> Plan:
        """The plan at a place."""
        ratio = min(place, _ALMOST)
        ratios = {group.name: ratio for group in self._planner.groups if group.name not in self._whole}
        return self._planner.plan(ratios, round_to=self._round_to)


class TolerancePath(_PlannerPath):
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
        super().__init__(planner, costs, round_to, whole)
        self._table = table
        losses = {max(p.loss, 0.0) for points in table.groups.values() for p in points if p.loss < 1}
        self._losses = sorted(losses | {0.0})

    def plan(self, place: float) -> Plan:
        """The plan at a place."""
        tolerance = _between(self._losses, place * (len(self._losses) - 1))
        return solve(self._planner, self._table, tolerance, self._round_to, self._whole)


def _expected(plan: Plan) -> float:
    return sum(part.expected_loss or 0.0 for part in plan.groups.values())


def _gone_flops(plan: Plan) -> float:
    return 1 - plan.after.flops / max(plan.before.flops, 1)


def _between(values: Sequence[float], at: float) -> float:
    """A value at a place between two others."""
    low, high = values[int(at)], values[min(int(at) + 1, len(values) - 1)]
    return low + (at - int(at)) * (high - low)
