"""All plans that take the first units of each group: what each loses and costs, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paddleprune.graph.atoms import Atoms
from paddleprune.interfaces import Array
from paddleprune.settings import CostName
from paddleprune.solver.costs import Costs

_NEVER = 2.0**20
"""Times the largest loss it stands for an infinite one: taken last, but taken where a limit can't be met without."""
_KEPT = 1e-9
"""What a whole group is worth besides, of the largest loss: of plans that lose the same one that keeps more is best."""


@dataclass(frozen=True)
class Curve:
    """One group: how many of its units may go, and what that loses.

    Attributes:
        units: in the order in which they go.
        counts: [levels], how many of them may go; ascending, from 0.
        losses: [levels], what that loses.
    """

    units: Sequence[int]
    counts: Array
    losses: Array


@dataclass(frozen=True)
class Spot:
    """One plan.

    Attributes:
        levels: [curves], the level of each.
        widths: of the axes.
        costs: [costs].
        loss: what it loses.
    """

    levels: Array
    widths: tuple[float, ...]
    costs: Array
    loss: float


class Space:
    """The plans of some curves.

    Args:
        curves: of the groups.
        costs: of the network.
        names: the costs that count.

    Attributes:
        levels: [curves], how many there are of each.
        near: the curves that each one shares a weight with.
        never: what stands for an infinite loss.
        dense: the plan in which nothing goes.
    """

    def __init__(self, curves: Sequence[Curve], costs: Costs, names: Sequence[CostName]) -> None:
        self.levels = np.array([len(curve.counts) for curve in curves], np.int64)
        largest = max((float(c.losses[np.isfinite(c.losses)].max(initial=0.0)) for c in curves), default=0.0) or 1.0
        self.never = _NEVER * largest
        self._losses = [
            np.where(np.isfinite(curve.losses), curve.losses, self.never)
            + _KEPT * largest * curve.counts / max(len(curve.units), 1)
            for curve in curves
        ]
        axes: list[Atoms] = []
        numbers: dict[bytes, int] = {}
        self._parts = []
        for part in costs.parts(names):
            mine = tuple(numbers.setdefault(units.tobytes(), len(numbers)) for units in part.axes)
            for units, number in zip(part.axes, mine, strict=True):
                if number == len(axes):
                    axes.append(units)
            self._parts.append((mine, part.value, part.weights))
        self._lost = _lost(curves, axes, costs.units)
        of_axis: list[list[int]] = [[] for _ in axes]
        for number, (mine, _, _) in enumerate(self._parts):
            for axis in {*mine}:
                of_axis[axis].append(number)
        self._of = [sorted({number for axis in lost for number in of_axis[axis]}) for lost in self._lost]
        self.near = self._neighbours()
        widths = tuple(float(len(units)) for units in axes)
        dense = np.array([costs.dense[name] for name in names])
        loss = sum(float(losses[0]) for losses in self._losses)
        self.dense = Spot(np.zeros(len(curves), np.int64), widths, dense, loss)

    def _neighbours(self) -> list[list[int]]:
        users: dict[int, list[int]] = {}
        for curve, parts in enumerate(self._of):
            for part in parts:
                users.setdefault(part, []).append(curve)
        return [sorted({other for part in parts for other in users[part]} - {c}) for c, parts in enumerate(self._of)]

    def grid(self, spot: Spot, block: Sequence[int], choices: Sequence[Array]) -> tuple[Array, Array]:
        """What plans cost and lose that differ from one in a few curves.

        Args:
            spot: the plan.
            block: the curves.
            choices: the levels of each that are tried, in all combinations.

        Returns:
            [costs, choices of the first, of the second, …] and [choices of the first, …].
        """
        shapes = [tuple(-1 if place == mine else 1 for mine in range(len(block))) for place in range(len(block))]
        widths: list[Array | float] = list(spot.widths)
        loss: Array = np.full((1,) * len(block), spot.loss)
        touched: set[int] = set()
        for curve, shape, levels in zip(block, shapes, choices, strict=True):
            level = spot.levels[curve]
            for axis, lost in self._lost[curve].items():
                widths[axis] = widths[axis] + (lost[level] - lost[levels]).reshape(shape)
            losses = self._losses[curve]
            loss = loss + (losses[levels] - losses[level]).reshape(shape)
            touched.update(self._of[curve])
        costs = np.zeros((len(spot.costs), *loss.shape)) + spot.costs.reshape(-1, *(1,) * len(block))
        for number in sorted(touched):
            mine, value, weights = self._parts[number]
            more = value(*[widths[axis] for axis in mine]) - value(*[spot.widths[axis] for axis in mine])
            for cost, weight in zip(costs, weights.tolist(), strict=True):
                cost += weight * more
        return costs, loss

    def at(self, levels: Array) -> Spot:
        """The plan of some levels."""
        changed = np.flatnonzero(levels).tolist()
        return self.moved(self.dense, changed, levels[changed].tolist())

    def moved(self, spot: Spot, block: Sequence[int], levels: Sequence[int]) -> Spot:
        """The plan that differs from one in a few curves."""
        widths, loss, there, touched = list(spot.widths), spot.loss, spot.levels.copy(), set[int]()
        for curve, level in zip(block, levels, strict=True):
            before = spot.levels[curve]
            for axis, lost in self._lost[curve].items():
                widths[axis] += float(lost[before] - lost[level])
            loss += float(self._losses[curve][level] - self._losses[curve][before])
            touched.update(self._of[curve])
        there[list(block)] = levels
        costs = spot.costs.copy()
        for number in sorted(touched):
            mine, value, weights = self._parts[number]
            costs += weights * float(value(*(widths[a] for a in mine)) - value(*(spot.widths[a] for a in mine)))
        return Spot(there, tuple(widths), costs, loss)


def _lost(curves: Sequence[Curve], axes: Sequence[Atoms], units: int) -> list[dict[int, Array]]:
    """Curve by curve: axis -> how many of its positions go at each level."""
    owner, place = np.full(units, -1), np.zeros(units, np.int64)
    for number, curve in enumerate(curves):
        owner[list(curve.units)] = number
        place[list(curve.units)] = np.arange(len(curve.units))
    found: list[dict[int, Array]] = [{} for _ in curves]
    for axis, along in enumerate(axes):
        owners, places = owner[along], place[along]
        for number in np.unique(owners[owners >= 0]).tolist():
            went = np.bincount(places[owners == number], minlength=len(curves[number].units))
            found[number][axis] = np.concatenate([[0.0], np.cumsum(went)])[curves[number].counts]
    return found
