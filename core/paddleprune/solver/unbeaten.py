"""Plans that no other one beats in its loss and in all of its costs at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paddleprune.interfaces import Array

_CHUNK = 256
_ROUNDING = 1e-9


class Unbeaten:
    """Of all plans that were offered, those that no other one beats.

    Args:
        curves: how many numbers a plan has.
        costs: how many costs count.

    Attributes:
        plans: [plans, curves], those that lose least first.
    """

    def __init__(self, curves: int, costs: int) -> None:
        self.plans: Array = np.zeros((0, curves), np.int32)
        self._costs: Array = np.zeros((0, costs))
        self._losses: Array = np.zeros(0)

    def __len__(self) -> int:
        return len(self.plans)

    def improve(self, costs: Array, losses: Array) -> Array:
        """Which of some plans no plan of these beats, and no other one of them: their places.

        Args:
            costs: [plans, costs].
            losses: [plans].
        """
        new = np.flatnonzero(~_beaten(costs, losses, self._costs, self._losses))
        return new[_best(costs[new], losses[new])]

    def add(self, plans: Array, costs: Array, losses: Array) -> None:
        """Take in plans that `improve` has chosen; those that they beat go."""
        stay = ~_beaten(self._costs, self._losses, costs, losses)
        losses = np.concatenate([self._losses[stay], losses])
        order = np.argsort(losses, kind="stable")
        self.plans = np.concatenate([self.plans[stay], plans.astype(np.int32)])[order]
        self._costs, self._losses = np.concatenate([self._costs[stay], costs])[order], losses[order]

    def within(self, limits: Array) -> Iterator[Array]:
        """The plans within some limits, but for rounding: those that lose least first."""
        for place in np.flatnonzero((self._costs <= limits * (1 + _ROUNDING)).all(axis=1)).tolist():
            yield self.plans[place]


def _beaten(costs: Array, losses: Array, by_costs: Array, by_losses: Array) -> Array:
    """Which plans others beat, or equal; the others don't beat each other, and those that lose least are first."""
    if not len(by_losses):
        return np.zeros(len(losses), bool)
    if costs.shape[1] == 1:  # then those that lose less cost more
        place = np.searchsorted(by_costs[::-1, 0], costs[:, 0], "right") - 1
        less: Array = (place >= 0) & (by_losses[::-1][place] <= losses)
        return less
    found = np.zeros(len(losses), bool)
    for start in range(0, len(losses), _CHUNK):
        part = slice(start, start + _CHUNK)
        worse = losses[part, None] >= by_losses[None]
        for cost, by in zip(costs[part].T, by_costs.T, strict=True):
            worse &= cost[:, None] >= by[None]
        found[part] = worse.any(axis=1)
    return found


def _best(costs: Array, losses: Array) -> Array:
    """Which plans no other one beats, those that lose least first; of those that are equal the first."""
    order = np.lexsort((*costs.T, losses))
    if costs.shape[1] == 1:
        spent = costs[order, 0]
        first: Array = order[spent < np.concatenate([[np.inf], np.minimum.accumulate(spent)[:-1]])]
        return first
    kept = np.zeros(0, np.int64)
    for start in range(0, len(order), _CHUNK):
        part = order[start : start + _CHUNK]
        part = part[~_beaten(costs[part], losses[part], costs[kept], losses[kept])]
        worse = np.tril(np.ones((len(part), len(part)), bool), -1)
        for cost in costs[part].T:
            worse &= cost[:, None] >= cost[None]
        kept = np.concatenate([kept, part[~worse.any(axis=1)]])
    return kept
