"""Two ways to run a network without some of its units: compiled, and eager. Same outputs, other speed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import numpy as np
import paddle
from paddle import nn

from paddleprune.console import say
from paddleprune.errors import said_by
from paddleprune.graph import ChannelGraph, masked
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import Batches, Forward, eager_forward
from paddleprune.sensitivity.compiled import CompiledNetwork

TOLERANCE = 1e-4
"""Largest difference between compiled and eager outputs that passes, as a share of the largest output."""


class Evaluator(Protocol):
    """A dense network that can be run without some of its units."""

    def removing(self, removed: Iterable[int]) -> AbstractContextManager[Forward]:
        """While open, a forward that computes what the network would without these units."""


class EagerNetwork:
    """The layer itself, with the masked slices of its weights at zero while a mask is open."""

    def __init__(self, layer: nn.Layer, graph: ChannelGraph) -> None:
        self._layer, self._graph = layer, graph

    @contextmanager
    def removing(self, removed: Iterable[int]) -> Iterator[Forward]:
        """While open, a forward that computes what the network would without these units."""
        with masked(self._layer, self._graph, removed):
            yield eager_forward(self._layer)


def choose_evaluator(layer: nn.Layer, graph: ChannelGraph, batches: Batches) -> Evaluator:
    """The compiled network where it can be had and agrees with the eager one; else the eager one, saying why.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        batches: the evaluation data; the first batch is the test of agreement, masked and not.
    """
    eager = EagerNetwork(layer, graph)
    if paddle.get_device() != "cpu":
        return eager
    try:
        compiled = CompiledNetwork(layer, graph, min(batches.batch_size, len(batches.dataset)))
        inputs, _ = next(iter(batches))
        problem = _first_problem(eager, compiled, graph, inputs)
    except Exception as error:
        problem = said_by(error)
    if problem is None:
        return compiled
    say(f"the network can't be compiled, so that the analysis is slower: {problem}")
    return eager


def _first_problem(eager: Evaluator, compiled: Evaluator, graph: ChannelGraph, inputs: tuple[Array, ...]) -> str | None:
    """What is wrong with the compiled network, whole or without half of every group."""
    half = [unit for group in graph.prunable if not group.inexact for unit in group.units[: group.count(0.5)]]
    for removed in ([], half):
        with eager.removing(removed) as expected, compiled.removing(removed) as got:
            problem = disagreement(expected(inputs), got(inputs))
        if problem is not None:
            return problem
    return None


def disagreement(expected: tuple[Array, ...], got: tuple[Array, ...]) -> str | None:
    """What is wrong with a compiled network's outputs, compared with the eager one's; None if they agree."""
    if [x.shape for x in expected] != [x.shape for x in got]:
        return "the compiled outputs have other shapes"
    for a, b in zip(expected, got, strict=True):
        difference, scale = float(np.abs(a - b).max(initial=0)), float(np.abs(a).max(initial=0))
        if not difference <= TOLERANCE * max(scale, 1e-12):
            return f"the compiled outputs differ by {difference:.3g} of {scale:.3g}"
    return None
