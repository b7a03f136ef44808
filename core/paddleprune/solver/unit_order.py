"""The order in which units go: those first that cost least for what they save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from paddle import nn

from paddleprune.console import progress
from paddleprune.graph import ChannelGraph
from paddleprune.graph.branches import Branch
from paddleprune.graph.channels import Limits
from paddleprune.interfaces import Array
from paddleprune.repair import Record, readers
from paddleprune.sensitivity import Importance
from paddleprune.solver.costs import Ceiling, Costs
from paddleprune.solver.order import Order

STEP = 0.01
"""Scores are computed anew whenever so much of the dense network's cost has gone."""


def order_units(
    layer: nn.Layer,
    graph: ChannelGraph,
    record: Record,
    costs: Costs,
    ceiling: Ceiling,
    whole: frozenset[str] = frozenset(),
    branches: Mapping[str, float] | None = None,
) -> Order:
    """Put everything that may go in order, by what it costs once the rest is repaired.

    After each step what is left is refitted, as far as the dense network's samples tell, and scored anew.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        record: what the dense network gave for some samples.
        costs: of the network.
        ceiling: which costs count.
        whole: groups that stay whole.
        branches: what each branch that may go loses, in the unit of the scores.

    Raises:
        PlanError: the network has no outputs that could be differentiated.
    """
    return _Greedy(graph, readers(layer, graph, record), costs, ceiling, whole, branches=branches).order()


def order_by_importance(
    graph: ChannelGraph,
    importance: Importance,
    costs: Costs,
    ceiling: Ceiling,
    whole: frozenset[str] = frozenset(),
) -> Order:
    """Put everything that may go in order, all groups together: the least importance for what is saved goes first.

    Args:
        graph: the network's channel graph.
        importance: the units' scores, which can be compared across groups; they stay what they are.
        costs: of the network.
        ceiling: which costs count.
        whole: groups that stay whole.
    """
    return _Greedy(graph, [_Known(graph, importance)], costs, ceiling, whole, importance.criterion).order()


class _Part(Protocol):
    """A part of what units are worth."""

    @property
    def name(self) -> str:
        """The layer whose part it is; empty for that of all."""

    @property
    def reads(self) -> Array:
        """The units that it knows something of."""

    def add_scores(self, scores: Array) -> None:
        """Add what each unit's removal would cost to [units]."""

    def remove(self, gone: Array) -> None:
        """Take it that some units have gone: [units], bool."""


class _Known:
    """Scores that don't depend on what has gone."""

    name = ""

    def __init__(self, graph: ChannelGraph, importance: Importance) -> None:
        self.reads = np.array([unit for group in graph.prunable for unit in group.units], np.int64)
        self._scores = importance.of_units(graph)

    def add_scores(self, scores: Array) -> None:
        scores += self._scores

    def remove(self, gone: Array) -> None:
        pass


class _Greedy:
    def __init__(
        self,
        graph: ChannelGraph,
        parts: Sequence[_Part],
        costs: Costs,
        ceiling: Ceiling,
        whole: frozenset[str],
        criterion: str = "obs",
        branches: Mapping[str, float] | None = None,
    ) -> None:
        self._criterion = criterion
        self._graph, self._parts, self._costs, self._ceiling = graph, list(parts), costs, ceiling
        lost = branches or {}
        self._branches = {branch.unit: branch for branch in graph.branches if branch.name in lost}
        self._lost = {unit: lost[branch.name] for unit, branch in self._branches.items()}
        read = self._read()
        self._unscored = tuple(g.name for g in graph.prunable if not read[list(g.units)].any())
        groups = [group for group in graph.prunable if group.name not in {*self._unscored, *whole}]
        self._units = np.array([*(unit for group in groups for unit in group.units), *self._branches], np.int64)
        self._place = {unit: place for place, unit in enumerate(self._units.tolist())}
        self._limits = Limits(limit for group in groups for limit in group.limits)
        self._alive = read[self._units] if len(self._units) else np.zeros(0, bool)
        self._gone: list[int] = []
        self._losses: list[float] = []

    def _read(self) -> Array:
        """Which units any reader reads: [units]."""
        found = np.zeros(self._costs.units, bool)
        for part in self._parts:
            found[part.reads] = True
        found[list(self._branches)] = True
        return found

    def order(self) -> Order:
        with progress("order the units", len(self._units)) as bar:
            while True:
                step = self._step()
                if not step:
                    return Order(tuple(self._gone), tuple(self._losses), self._unscored, self._criterion)
                bar.advance(len(step))

    def _step(self) -> list[int]:
        """Let the units go that are worth least, until they have saved a hundredth of what counts."""
        dense = self._costs.dense
        weights = self._ceiling.weights(self._costs.total(self._gone), dense)
        saved = self._costs.savings(self._gone, weights)[self._units]
        left = STEP * sum(weight * dense[name] for name, weight in weights.items())
        scores = np.zeros(self._costs.units)
        for part in self._parts:
            part.add_scores(scores)
        for unit, lost in self._lost.items():
            scores[unit] = lost
        loss = scores[self._units]
        step: list[int] = []
        for place in np.argsort(loss / np.maximum(saved, 1e-12), kind="stable").tolist():
            unit = int(self._units[place])
            if not self._alive[place] or not self._limits.let_go(unit):
                continue
            self._alive[place] = False
            step.append(unit)
            if unit in self._branches:
                self._forget(self._branches[unit])
            self._losses.append(float(loss[place]))
            left -= saved[place]
            if left <= 0:
                break
        self._gone += step
        gone = np.zeros(self._costs.units, bool)
        gone[step] = True
        for part in self._parts:
            part.remove(gone)
        return step

    def _forget(self, branch: Branch) -> None:
        """Leave out what went with a branch: its units, and its layers that read others."""
        for unit in self._graph.inside(branch):
            if unit in self._place:
                self._alive[self._place[unit]] = False
        self._parts = [part for part in self._parts if f"{part.name}.weight".removeprefix(".") not in branch.parameters]
