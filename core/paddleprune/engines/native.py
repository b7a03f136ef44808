"""The native engine: the channel graph's groups, masked where they are read, shrunk by surgery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from paddle import nn

from paddleprune.graph import ChannelGraph, Group
from paddleprune.measure.evaluation import Batches, Forward, eager_forward
from paddleprune.pruning import Plan, make_plan, prune, shrink
from paddleprune.sensitivity import rank
from paddleprune.sensitivity.evaluators import EagerNetwork, Evaluator, choose_evaluator
from paddleprune.settings import Criterion, EngineName


class NativeEngine:
    """The engine that prunes whatever the channel graph can follow, exactly.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        criterion: which units go first.
        batches: what the network will be run on, if a compiled network is worth while.
    """

    name: EngineName = "native"

    def __init__(
        self, layer: nn.Layer, graph: ChannelGraph, criterion: Criterion, batches: Batches | None = None
    ) -> None:
        self._layer, self._graph, self._criterion, self._batches = layer, graph, criterion, batches
        self._rankings = rank(layer, graph, criterion)

    @property
    def groups(self) -> tuple[Group, ...]:
        """What may be pruned, in the network's order."""
        return self._graph.prunable

    @cached_property
    def _evaluator(self) -> Evaluator:
        if self._batches is None:
            return EagerNetwork(self._layer, self._graph)
        return choose_evaluator(self._layer, self._graph, self._batches)

    @contextmanager
    def removing(self, ratios: Mapping[str, float]) -> Iterator[Forward]:
        """While open, a forward that computes what the network would without that share of each group's units.

        Units that can't be masked are really removed meanwhile.
        """
        removed: list[int] = []
        for name, ratio in ratios.items():
            group = self._graph[name]
            removed += [group.units[i] for i in self._rankings[name][: group.count(ratio)]]
        if not self._graph.inexact_units(removed):
            with self._evaluator.removing(removed) as forward:
                yield forward
            return
        undo = shrink(self._layer, self._graph, removed)
        try:
            yield eager_forward(self._layer)
        finally:
            undo(self._layer)

    def plan(
        self,
        ratios: Mapping[str, float],
        *,
        eval_metric_loss: float | None = None,
        expected: Mapping[str, float] | None = None,
        round_to: int = 1,
    ) -> Plan:
        """Turn ratios into the units that stay."""
        return make_plan(
            self._graph,
            ratios,
            self._rankings,
            criterion=self._criterion,
            eval_metric_loss=eval_metric_loss,
            expected=expected,
            round_to=round_to,
        )

    def prune(self, plan: Plan, probe: Sequence[Any]) -> Plan:
        """Carry a plan out, in place, and prove it on a probe batch."""
        return prune(self._layer, self._graph, plan, probe)
