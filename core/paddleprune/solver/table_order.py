"""The order of a sensitivity table: those units first whose groups lose least for what they save."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from paddleprune.interfaces import Array
from paddleprune.sensitivity import Prunable, SensitivityTable
from paddleprune.solver.costs import Ceiling, Costs
from paddleprune.solver.order import Order
from paddleprune.solver.unit_order import STEP


class Ranked(Prunable, Protocol):
    """A group, and which of its units go."""

    @property
    def order(self) -> Sequence[int]:
        """Those of its units that can go together, the least important first."""


def order_by_table(
    groups: Sequence[Ranked],
    table: SensitivityTable,
    costs: Costs,
    ceiling: Ceiling,
    whole: frozenset[str] = frozenset(),
    criterion: str | None = None,
) -> Order:
    """Put what a table has measured in order, a step from one of its ratios to a later one at a time.

    Among a group's steps that one is taken that loses least for what it saves, as along a convex hull. A loss that
    falls with the ratio counts as its largest so far: that it falls is noise. Between two ratios it is shared out to
    the units.

    Args:
        groups: what may go, ranked.
        table: the table; what lies beyond its last ratio isn't in the order.
        costs: of the network.
        ceiling: which costs count.
        whole: groups that stay whole.
        criterion: what ranked the units, if not the table's.
    """
    ladders = [_Ladder(group, table) for group in groups if group.name in table.groups and group.name not in whole]
    gone: list[int] = []
    losses: list[float] = []
    while True:
        weights = ceiling.weights(costs.total(gone), costs.dense)
        saved = costs.savings(gone, weights)
        left = STEP * sum(weight * costs.dense[name] for name, weight in weights.items())
        steps = sorted((step for ladder in ladders if (step := ladder.best(saved))), key=lambda step: step.price)
        if not steps:
            return Order(tuple(gone), tuple(losses), criterion=criterion or table.identity.criterion, expects=True)
        for step in steps:
            units, more = step.ladder.climb(step.count)
            gone += units
            losses += more
            left -= step.saved
            if left <= 0:
                break


def uniform_order(groups: Sequence[Ranked], criterion: str, whole: frozenset[str] = frozenset()) -> Order:
    """One ratio for all groups: each prefix takes the same share of every one.

    Args:
        groups: what may go, ranked by a criterion.
        criterion: its name.
        whole: groups that stay whole.
    """
    places = [
        ((place + 1) / group.size, unit)
        for group in groups
        if group.name not in whole
        for place, unit in enumerate(group.order)
    ]
    units = tuple(unit for _, unit in sorted(places, key=lambda entry: entry[0]))
    return Order(units, (0.0,) * len(units), criterion=criterion)


class _Step:
    def __init__(self, ladder: _Ladder, count: int, price: float, saved: float) -> None:
        self.ladder, self.count, self.price, self.saved = ladder, count, price, saved


class _Ladder:
    """One group: how many of its units may go at once, and what that loses."""

    def __init__(self, group: Ranked, table: SensitivityTable) -> None:
        self._order = np.array(group.order, np.int64)
        highest, most = {0: 0.0}, 0.0
        for point in table.groups[group.name]:
            count, most = group.count(point.ratio), max(most, point.loss)
            highest[count] = most if count else 0.0
        self._counts, self._losses = np.array(list(highest), np.int64), np.array(list(highest.values()))
        self._count = 0

    def best(self, saved: Array) -> _Step | None:
        """The step that loses least for what it saves; None at the end."""
        ahead = np.flatnonzero(self._counts > self._count)
        if not len(ahead):
            return None
        sums = np.cumsum(saved[self._order])
        before = sums[self._count - 1] if self._count else 0.0
        saves = np.maximum(sums[self._counts[ahead] - 1] - before, 1e-12)
        prices = (self._losses[ahead] - self._losses[ahead[0] - 1]) / saves
        at = int(np.argmin(np.where(np.isnan(prices), np.inf, prices)))
        return _Step(self, int(self._counts[ahead][at]), float(prices[at]), float(saves[at]))

    def climb(self, count: int) -> tuple[list[int], list[float]]:
        """Let units go until so many have: which they are, and what each loses more, shared out between two ratios."""
        losses: list[float] = []
        low, high = (int(np.flatnonzero(self._counts == at)[0]) for at in (self._count, count))
        for place in range(low, high):
            more, steps = self._losses[place + 1] - self._losses[place], self._counts[place + 1] - self._counts[place]
            losses += [float(more / steps) if self._losses[place] < np.inf else 0.0] * int(steps)
        units = self._order[self._count : count].tolist()
        self._count = count
        return units, losses
