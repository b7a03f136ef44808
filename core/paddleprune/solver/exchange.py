"""What a budget can buy: the plans that nothing beats, found by prices and by exchange between groups."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from paddleprune.interfaces import Array
from paddleprune.solver.space import Space, Spot
from paddleprune.solver.unbeaten import Unbeaten

_ALL = 2**16
"""So many plans are tried one and all."""
_WORK = 1_000_000
"""Of more, so many are tried in all, for each cost that counts."""
_GRID = 500
"""What a grid costs besides its plans."""
_PRICES = (8, 64)
_PRICED = 16384
"""So many groups, price by price, are given their best levels for each sum of costs, about."""
_STEPS = 2048
"""Between two prices so many levels of all groups are tried."""
_SPREAD = 1e5
_SETTLING = 4
_ROUND = 32
_FEW_LEVELS = 16

Grid: TypeAlias = tuple[Spot, Sequence[int], Sequence[Array]]
"""A plan, some curves, and the levels of each that are tried in its place, in all combinations."""


class Exchange:
    """The best plans of a space, for whatever budget.

    A greedy order is off by a step where a budget ends within it, and counts what units saved when they went, not what
    they save at the end. So prices are put on the costs, and at each every group takes its best level, given those of
    the others (Everett, 1963); then one group gives back what another takes (Pareto local search: Paquete, Chiarandini
    and Stützle, 2004). Spaces that are small enough are tried out. Of more than some fifty groups pairs are too many:
    prices alone are then as good, as one step among so many is nothing.

    What is tried depends on the space alone, not on a budget: each budget gets the best of it that is within, so that
    a larger one never loses more.

    Args:
        space: the plans.
    """

    def __init__(self, space: Space) -> None:
        self._space, self._work = space, _WORK * len(space.dense.costs)
        self._best = Unbeaten(len(space.levels), len(space.dense.costs))
        curves = range(len(space.levels))
        if np.prod(space.levels.astype(float)) <= _ALL:
            self._try([(space.dense, curves, [np.arange(count) for count in space.levels])])
            return
        for mix in _mixes(len(space.dense.costs)):
            self._descend(mix / np.maximum(space.dense.costs, 1e-9))
        self._exchange()

    def within(self, limits: Array) -> Iterator[Array]:
        """The levels of the plans within some limits, those that lose least first.

        Args:
            limits: [costs].
        """
        return self._best.within(limits)

    def _try(self, grids: Iterable[Grid]) -> None:
        """Try all plans of some grids, and keep those that nothing beats."""
        grids = list(grids)
        tried = [self._space.grid(*grid) for grid in grids]
        costs = np.concatenate([costs.reshape(len(costs), -1).T for costs, _ in tried])
        losses = np.concatenate([losses.reshape(-1) for _, losses in tried])
        self._work -= len(losses) + _GRID * len(grids)
        new = self._best.improve(costs, losses)
        if not len(new):
            return
        ends = np.cumsum([losses.size for _, losses in tried])
        plans = np.zeros((len(new), len(self._space.levels)), np.int64)
        for row, place in zip(plans, new.tolist(), strict=True):
            number = int(np.searchsorted(ends, place, "right"))
            (spot, block, choices), shape = grids[number], tried[number][1].shape
            picks = np.unravel_index(place - ends[number] + tried[number][1].size, shape)
            row[:] = spot.levels
            row[list(block)] = [levels[pick] for levels, pick in zip(choices, picks, strict=True)]
        self._best.add(plans, costs[new], losses[new])

    def _descend(self, weights: Array) -> None:
        """Along prices of a sum of costs so weighted, from none to all."""
        spot = self._space.dense
        for price in self._prices(weights):
            there = self._settled(spot, price * weights)
            self._walk(spot, there, weights)
            spot = there
        self._walk(spot, self._space.at(self._space.levels - 1), weights)

    def _prices(self, weights: Array) -> list[float]:
        """From one at which nothing goes to one at which all does."""
        found = []
        for curve in range(len(self._space.levels)):
            costs, losses = self._line(self._space.dense, curve)
            saved = weights @ (self._space.dense.costs[:, None] - costs)
            found.append((losses - self._space.dense.loss)[saved > 0] / saved[saved > 0])
        prices = np.concatenate(found)
        prices = prices[(prices > 0) & (prices < self._space.never)]
        if not len(prices):
            return []
        most = float(prices.max())
        many = int(np.clip(_PRICED // (len(self._space.levels) * len(weights)), *_PRICES))
        ladder: list[float] = np.geomspace(max(float(prices.min()), most / _SPREAD) / 2, most * 20, many).tolist()
        return ladder

    def _settled(self, spot: Spot, prices: Array) -> Spot:
        """Every group at its best level, given the others', or nearly: costs rise with each other's widths."""
        unsettled = set(range(len(self._space.levels)))
        for _ in range(_SETTLING):
            moved = set()
            for curve in sorted(unsettled):
                costs, losses = self._line(spot, curve)
                best = int(np.argmin(losses + prices @ costs))
                if best != spot.levels[curve]:
                    spot = self._space.moved(spot, [curve], [best])
                    moved.add(curve)
            unsettled = {other for curve in moved for other in self._space.near[curve]}
        return spot

    def _walk(self, spot: Spot, there: Spot, weights: Array) -> None:
        """Try what lies between two plans, those groups first that lose least for what they save."""
        steps = []
        for curve in np.flatnonzero(spot.levels != there.levels).tolist():
            one = self._space.moved(spot, [curve], [there.levels[curve]])
            saved, more = float(weights @ (spot.costs - one.costs)), one.loss - spot.loss
            steps.append((saved < 0, more / saved if saved else 0.0, curve))
        grids: list[Grid] = []
        for _, _, curve in sorted(steps):
            low, high = spot.levels[curve], there.levels[curve]
            some = min(abs(high - low) + 1, max(_STEPS // len(steps), 3))
            grids.append((spot, [curve], [np.unique(np.linspace(low, high, some).astype(np.int64))]))
            spot = self._space.moved(spot, [curve], [there.levels[curve]])
        if grids:
            self._try(grids)

    def _line(self, spot: Spot, curve: int) -> tuple[Array, Array]:
        """Costs and losses at each level of one group."""
        return self._space.grid(spot, [curve], [np.arange(self._space.levels[curve])])

    def _exchange(self) -> None:
        """Around the plans that nothing beats, try what two groups give each other; likewise around what that gives."""
        done: set[bytes] = set()
        pairs = list(itertools.combinations(range(len(self._space.levels)), 2))
        while self._work > _GRID * len(pairs):
            fresh = [plan for plan in self._best.plans if plan.tobytes() not in done]
            if not fresh:
                return
            for plan in fresh[:: -(-len(fresh) // _ROUND)]:
                if self._work <= _GRID * len(pairs):
                    return
                done.add(plan.tobytes())
                spot = self._space.at(plan)
                choices = [self._around(spot, curve) for curve in range(len(self._space.levels))]
                self._try((spot, pair, [choices[curve] for curve in pair]) for pair in pairs)

    def _around(self, spot: Spot, curve: int) -> Array:
        """All levels of a group, if they are few; else those at distances of powers of two."""
        count, here = int(self._space.levels[curve]), int(spot.levels[curve])
        if count <= _FEW_LEVELS:
            return np.arange(count)
        steps = 2 ** np.arange(count.bit_length())
        found = np.concatenate([[0, here, count - 1], here - steps, here + steps])
        return np.unique(found[(found >= 0) & (found < count)])


def _mixes(size: int) -> list[Array]:
    """Each cost alone, and all of them together: [costs] each."""
    return [*np.eye(size), *([np.full(size, 1 / size)] if size > 1 else [])]
