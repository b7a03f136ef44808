"""What a network costs, what it may cost, and what the next unit would save of that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from paddleprune.graph import ChannelGraph
from paddleprune.graph.slopes import count_units, slopes
from paddleprune.interfaces import Array
from paddleprune.pruning import Plan
from paddleprune.settings import CostName


class Latency(Protocol):
    """What foretells how long one image takes."""

    def total(self, removed: Collection[int]) -> float:
        """Milliseconds once these units are gone."""

    def slopes(self, removed: Collection[int]) -> Array:
        """What one unit more would save, in milliseconds: [units], by the units' numbers."""


class Costs:
    """FLOPs, parameters and, where it is measured, latency of one network.

    Args:
        graph: its channel graph.
        latency: what foretells its latency; None where nobody asks for that.
    """

    def __init__(self, graph: ChannelGraph, latency: Latency | None = None) -> None:
        self._graph, self._latency = graph, latency
        self.units = count_units(graph)
        self.dense = self.total(())

    def total(self, removed: Collection[int]) -> dict[CostName, float]:
        """What it costs once these units are gone."""
        cost = self._graph.cost(removed)
        found: dict[CostName, float] = {"flops": cost.flops, "params": cost.parameters}
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
        found = slopes(self._graph, removed)
        total = weights.get("flops", 0.0) * found.flops + weights.get("params", 0.0) * found.parameters
        if self._latency is not None and "latency" in weights:
            total = total + weights["latency"] * self._latency.slopes(removed)
        return total


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
