"""The order in which units go: those first that cost least for the FLOPs that they save, once the rest is repaired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from paddle import nn

from paddleprune.console import progress
from paddleprune.graph import ChannelGraph
from paddleprune.graph.channels import Limits
from paddleprune.graph.slopes import flop_slopes
from paddleprune.interfaces import Array
from paddleprune.repair.record import Record
from paddleprune.repair.scores import Reader, readers

_STEPS = 100
"""Scores are computed anew whenever a hundredth of the dense network's FLOPs has gone."""


@dataclass(frozen=True)
class Order:
    """Units of a network, the least useful first; each prefix of them is a cut.

    Attributes:
        units: what may go, in this order.
        unscored: groups of which nothing is in it, since no layer that can be refitted reads them.
    """

    units: tuple[int, ...]
    unscored: tuple[str, ...]

    def until(self, graph: ChannelGraph, flops: int) -> list[int]:
        """The shortest prefix that leaves at most so many FLOPs; everything, if there is none."""
        low, high = 0, len(self.units)
        while low < high:
            middle = (low + high) // 2
            if graph.cost(self.units[:middle]).flops <= flops:
                high = middle
            else:
                low = middle + 1
        return list(self.units[:low])


def order_units(layer: nn.Layer, graph: ChannelGraph, record: Record, whole: frozenset[str] = frozenset()) -> Order:
    """Put everything that may go in order.

    After each step what is left is refitted, as far as the dense network's samples tell, and scored anew.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        record: what the dense network gave for some samples.
        whole: groups that stay whole.

    Raises:
        PlanError: the network has no outputs that could be differentiated.
    """
    return _Greedy(graph, readers(layer, graph, record), whole).order()


class _Greedy:
    def __init__(self, graph: ChannelGraph, parts: list[Reader], whole: frozenset[str]) -> None:
        self._graph, self._parts = graph, parts
        read = self._read()
        self._unscored = tuple(g.name for g in graph.prunable if not read[list(g.units)].any())
        groups = [group for group in graph.prunable if group.name not in {*self._unscored, *whole}]
        self._units = np.array([unit for group in groups for unit in group.units], np.int64)
        self._limits = Limits(limit for group in groups for limit in group.limits)
        self._alive = read[self._units] if len(self._units) else np.zeros(0, bool)
        self._gone: list[int] = []

    def _read(self) -> Array:
        """Which units any reader reads: [units]."""
        size = 1 + max(int(axis.units.max(initial=0)) for axis in self._graph.axes)
        found = np.zeros(size, bool)
        for part in self._parts:
            found[part.reads] = True
        return found

    def order(self) -> Order:
        dense = max(self._graph.cost().flops, 1)
        with progress("order the units", len(self._units)) as bar:
            while True:
                step = self._step(dense / _STEPS)
                if not step:
                    return Order(tuple(self._gone), self._unscored)
                bar.advance(len(step))

    def _step(self, flops: float) -> list[int]:
        """Let the units go that are worth least, until they have saved so many FLOPs."""
        slopes = flop_slopes(self._graph, self._gone)
        saved, scores = slopes[self._units], np.zeros(len(slopes))
        for part in self._parts:
            part.add_scores(scores)
        value = scores[self._units] / np.maximum(saved, 1)
        step: list[int] = []
        for place in np.argsort(value, kind="stable").tolist():
            unit = int(self._units[place])
            if not self._alive[place] or not self._limits.let_go(unit):
                continue
            self._alive[place] = False
            step.append(unit)
            flops -= saved[place]
            if flops <= 0:
                break
        self._gone += step
        for part in self._parts:
            part.remove(np.array(step, np.int64))
        return step
