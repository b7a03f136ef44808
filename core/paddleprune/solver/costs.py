"""What a network costs, what it may cost, and what the next unit would save of that."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from paddleprune.graph import ChannelGraph
from paddleprune.graph.atoms import Atoms
from paddleprune.graph.sizes import Sizes
from paddleprune.interfaces import Array
from paddleprune.pruning import Plan
from paddleprune.settings import CostName


@dataclass(frozen=True)
class Part:
    """What a network costs is a sum of parts, each of which depends on a few widths.

    Attributes:
        axes: [width] each, the unit at each position of the axes that it depends on.
        value: of those axes' widths, which may be arrays.
        weights: what the value counts in each cost: [costs].
    """

    axes: tuple[Atoms, ...]
    value: Callable[..., Array]
    weights: Array


class Latency(Protocol):
    """What foretells how long one image takes."""

    def total(self, removed: Collection[int]) -> float:
        """Milliseconds once these units are gone."""

    def slopes(self, removed: Collection[int]) -> Array:
        """What one unit more would save, in milliseconds: [units], by the units' numbers."""

    def layers(self) -> Sequence[tuple[tuple[Atoms, Atoms], Callable[[Array, Array], Array]]]:
        """The units along the first two axes of each layer's weight, and its milliseconds at their widths."""


class Costs:
    """FLOPs, parameters and, where it is measured, latency of one network.

    Args:
        graph: its channel graph.
        latency: what foretells its latency; None where nobody asks for that.
    """

    def __init__(self, graph: ChannelGraph, latency: Latency | None = None) -> None:
        self._graph, self._latency = graph, latency
        self._known: dict[frozenset[int], Sizes] = {}
        self.units = graph.numbers
        self.dense = self.total(())

    def total(self, removed: Collection[int]) -> dict[CostName, float]:
        """What it costs once these units are gone."""
        sizes, units = self._sizes(removed)
        parameters, flops = sizes.cost(sizes.widths(units))
        found: dict[CostName, float] = {"flops": float(flops), "params": float(parameters)}
        if self._latency is not None:
            found["latency"] = self._latency.total(removed)
        return found

    def of(self, plan: Plan) -> dict[CostName, float]:
        """What a plan leaves."""
        found: dict[CostName, float] = {"flops": plan.after.flops, "params": plan.after.parameters}
        if self._latency is not None:
            found["latency"] = self._latency.total(plan.removed(self._graph))
        return found

    def savings(self, removed: Collection[int], weights: Mapping[CostName, float]) -> Array:
        """What one unit more would save, in a sum of costs so weighted: [units], by the units' numbers."""
        sizes, units = self._sizes(removed)
        parameters, flops = sizes.slopes(units)
        total = np.zeros(self.units)
        total[: sizes.units] = weights.get("flops", 0.0) * flops + weights.get("params", 0.0) * parameters
        if self._latency is not None and "latency" in weights:
            total = total + weights["latency"] * self._latency.slopes(removed)
        now = self.total(removed) if self._graph.branches else {}
        for branch in self._graph.branches:
            without = self.total([*removed, branch.unit])
            total[branch.unit] = sum(weight * (now[name] - without[name]) for name, weight in weights.items())
        return total

    def _sizes(self, removed: Collection[int]) -> tuple[Sizes, list[int]]:
        """The sizes of the network without the branches among some units, and those of the units that it has."""
        gone = frozenset(branch.unit for branch in self._graph.gone(removed))
        if gone not in self._known:
            self._known[gone] = Sizes(self._graph.without(gone) if gone else self._graph)
        return self._known[gone], [unit for unit in removed if unit < self._known[gone].units]

    def parts(self, names: Sequence[CostName]) -> list[Part]:
        """Whose sum is some costs, but for what is there whatever goes."""
        found = []
        sizes, _ = self._sizes(())
        for term in sizes.terms:
            counted = {"flops": term.flops, "params": term.parameters}
            weights = np.array([counted.get(name, 0.0) for name in names])
            if weights.any():
                found.append(Part(tuple(sizes.axes[axis] for axis in term.axes), _product, weights))
        if self._latency is not None and "latency" in names:
            weights = np.array([float(name == "latency") for name in names])
            found += [Part(axes, milliseconds, weights) for axes, milliseconds in self._latency.layers()]
        return found


def _product(*widths: Array) -> Array:
    return math.prod(widths)  # type: ignore[return-value]


@dataclass(frozen=True)
class Ceiling:
    """What a pruned network may cost.

    Attributes:
        limits: cost -> the most that may stay; absolute.
        save: which cost counts once all limits are met, or if there are none.
    """

    limits: Mapping[CostName, float]
    save: CostName = "flops"

    def met(self, cost: Mapping[CostName, float]) -> bool:
        """Is every cost within its limit?"""
        return all(cost[name] <= limit for name, limit in self.limits.items())

    def weights(self, cost: Mapping[CostName, float], dense: Mapping[CostName, float]) -> dict[CostName, float]:
        """How much each cost counts now: those above their limit, as shares of what has to go.

        As in Wolsey's greedy cover (1982), a limit that is met counts no longer.
        """
        above = {name: 1 / (dense[name] - limit) for name, limit in self.limits.items() if cost[name] > limit}
        return above or {self.save: 1 / max(dense[self.save], 1e-9)}


def amount(name: CostName, value: float, costs: Costs) -> str:
    """A cost as a share of the dense network's, and as a number: `0.31 (94.1M)`."""
    return f"{value / max(costs.dense[name], 1e-9):.3g} ({_short(value) if name != 'latency' else f'{value:.3g} ms'})"


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.0f}"
