"""The native engine: the channel graph's groups, masked where they are read, shrunk by surgery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from paddle import nn

from paddleprune.errors import PlanError
from paddleprune.graph import ChannelGraph, Group, masked
from paddleprune.interfaces import Reduction, Scorer
from paddleprune.measure.evaluation import Batches, Forward, eager_forward
from paddleprune.pruning import Plan, make_plan, prune, shrink
from paddleprune.repair import Cut
from paddleprune.sensitivity import Importance, weigh
from paddleprune.sensitivity.masked.evaluators import Evaluator, choose_evaluator
from paddleprune.settings import Criterion, EngineName


@dataclass(frozen=True)
class RankedGroup:
    """A group, and which of its units go.

    Attributes:
        group: the group.
        order: those of its units that can go together, the least important first.
    """

    group: Group
    order: tuple[int, ...]

    @property
    def name(self) -> str:
        """The group's name."""
        return self.group.name

    @property
    def size(self) -> int:
        """How many units may be removed, though not all at once."""
        return self.group.size

    def count(self, ratio: float) -> int:
        """How many units a ratio removes: rounded, and every axis keeps a channel."""
        return min(self.group.count(ratio), len(self.order))


class NativeEngine:
    """The engine that prunes whatever the channel graph can follow, exactly.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        criterion: which units go first.

    Attributes:
        criterion: its name.
        importance: the units' scores by it.
    """

    name: EngineName = "native"

    def __init__(self, layer: nn.Layer, graph: ChannelGraph, criterion: Criterion | Scorer | Importance) -> None:
        self._layer, self.graph, self.importance = layer, graph, weigh(layer, graph, criterion)
        self.criterion = self.importance.criterion
        self._rankings = self.importance.rankings(graph)

    @cached_property
    def groups(self) -> tuple[RankedGroup, ...]:
        """What may be pruned, in the network's order."""
        orders = ((group, self._rankings[group.name]) for group in self.graph.prunable)
        return tuple(RankedGroup(group, tuple(group.units[i] for i in order)) for group, order in orders)

    def evaluator(self, batches: Batches, reduction: Reduction | None = None) -> Evaluator:
        """What measures the network on these batches: compiled, if it can be."""
        inputs, _ = batches.take(0, batches.batch_size)
        return choose_evaluator(self._layer, self.graph, self.units, self.removing, inputs, reduction)

    @contextmanager
    def removing(self, ratios: Mapping[str, float]) -> Iterator[Forward]:
        """While open, the layer lacks that share of each group's units: masked, or shrunk where a mask isn't exact."""
        removed = self.units(ratios)
        if not self.graph.inexact_units(removed):
            with masked(self._layer, self.graph, removed):
                yield eager_forward(self._layer)
            return
        undo = shrink(self._layer, self.graph, removed)
        try:
            yield eager_forward(self._layer)
        finally:
            undo(self._layer)

    def units(self, ratios: Mapping[str, float]) -> list[int]:
        """The units that go when each of these groups loses that share."""
        groups = {group.name: group for group in self.groups}
        chosen = [(groups[self.graph[name].name], ratio) for name, ratio in ratios.items()]
        return [unit for group, ratio in chosen for unit in group.order[: group.count(ratio)]]

    def plan(self, ratios: Mapping[str, float], *, round_to: int = 1) -> Plan:
        """Turn ratios into the units that stay."""
        names = {branch.name for branch in self.graph.branches}
        for name, ratio in ratios.items():
            if name in names and ratio not in (0, 1):
                raise PlanError(f"{name!r} is a branch, which goes as a whole: its ratio is 1, or 0, got {ratio}")
        return make_plan(
            self.graph,
            {name: ratio for name, ratio in ratios.items() if name not in names},
            self._rankings,
            criterion=self.criterion,
            round_to=round_to,
            branches={name: None for name, ratio in ratios.items() if name in names and ratio},
        )

    def prune(self, plan: Plan, probe: Sequence[Any]) -> Plan:
        """Carry a plan out, in place, and prove it on a probe batch."""
        return prune(self._layer, self.graph, plan, probe)

    def cut(self, plan: Plan) -> Cut:
        """What carrying a plan out does to the network's parameters."""
        removed = plan.removed(self.graph)
        return Cut.of(self.graph, self.graph.keeps(removed), self.graph.gone(removed))
