"""Two ways to run a network without some of its units: compiled, and eager. Same outputs, other speed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias

import numpy as np
from paddle import nn

from paddleprune.console import say
from paddleprune.errors import said_by
from paddleprune.graph import ChannelGraph, Group, masked
from paddleprune.graph.inputs import leaves, map_leaves
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import Forward, eager_forward
from paddleprune.sensitivity.compiled import CompiledNetwork, MaskedProgram

TOLERANCE = 1e-4
"""Largest difference between compiled and eager outputs that passes, as a share of the largest output."""
_PROBE = 2
"""Samples that the compiled programs are tried on."""
_LOOKED_AT = 4096
"""Numbers of an output that are compared for each group."""

Outputs: TypeAlias = tuple[Array, ...]
Stage: TypeAlias = Callable[[tuple[Array, ...], Sequence[Mapping[str, float]]], Iterator[Outputs]]
"""(a batch's inputs, shares of groups to go: {} is the dense network) -> the outputs, once for each of those."""
Removing: TypeAlias = Callable[[Mapping[str, float]], AbstractContextManager[Forward]]
"""While open, the layer, and the forward that this yields, lacks those shares of groups."""
Units: TypeAlias = Callable[[Mapping[str, float]], list[int]]
"""Shares of groups -> the units that go."""


class Evaluator(Protocol):
    """A dense network that can be run without shares of its groups."""

    def open(self, groups: Sequence[str]) -> AbstractContextManager[Stage]:
        """Make ready to run the network without shares of any of these groups."""


class EagerEvaluator:
    """The layer itself, changed while it runs.

    Args:
        removing: takes shares of groups from it.
    """

    def __init__(self, removing: Removing) -> None:
        self._removing = removing

    @contextmanager
    def open(self, groups: Sequence[str]) -> Iterator[Stage]:
        """Make ready to run the network without shares of any of these groups."""
        yield self._run

    def _run(self, inputs: tuple[Array, ...], shares: Sequence[Mapping[str, float]]) -> Iterator[Outputs]:
        for share in shares:
            with self._removing(share) as forward:
                outputs = forward(inputs)
            yield outputs


class Expected:
    """What a few samples give, dense and with half of each group gone: what programs are tried against.

    Args:
        inputs: the samples.
        dense: the dense network's outputs for them.
        whole: the whole network compiled, with masks for every group.
        groups: the groups that can be masked.
    """

    def __init__(
        self, inputs: tuple[Array, ...], dense: Outputs, whole: MaskedProgram, groups: Sequence[Group]
    ) -> None:
        self._inputs = inputs
        self._dense = tuple(map(_sample, dense))
        halves = whole.run(inputs, [_half(group) for group in groups])
        self._half = {group.name: tuple(map(_sample, y)) for group, y in zip(groups, halves, strict=True)}

    def problem(self, program: MaskedProgram, groups: Sequence[Group]) -> str | None:
        """What is wrong with a program; None if it agrees, also when it is run again."""
        wanted = [self._dense, *(self._half[group.name] for group in groups), self._dense]
        runs = program.run(self._inputs, [(), *map(_half, groups), ()])
        return first_disagreement(wanted, (tuple(map(_sample, outputs)) for outputs in runs))


class CompiledEvaluator:
    """Programs cut from the compiled network; each is tried before it is trusted.

    Args:
        network: the compiled network.
        eager: runs what can't be compiled.
        units: the units that shares of groups stand for.
        expected: what the programs must give on a few samples.
    """

    def __init__(self, network: CompiledNetwork, eager: Evaluator, units: Units, expected: Expected) -> None:
        self._network, self._eager, self._units, self._expected = network, eager, units, expected

    @contextmanager
    def open(self, groups: Sequence[str]) -> Iterator[Stage]:
        """Make ready to run the network without shares of any of these groups."""
        program = self._program([self._network.graph[name] for name in groups])
        if program is None:
            with self._eager.open(groups) as stage:
                yield stage
            return

        def run(inputs: tuple[Array, ...], shares: Sequence[Mapping[str, float]]) -> Iterator[Outputs]:
            return program.run(inputs, [self._units(share) for share in shares])

        yield run

    def _program(self, groups: Sequence[Group]) -> MaskedProgram | None:
        """What runs these groups compiled; None where it can't."""
        if any(group.inexact for group in groups):
            return None
        try:
            program = self._network.open(unit for group in groups for unit in group.units)
            problem = self._expected.problem(program, groups)
        except Exception as error:
            problem = said_by(error)
        if problem is None:
            return program
        say(f"{', '.join(group.name for group in groups)} can't be compiled and is measured slower: {problem}")
        return None


def choose_evaluator(
    layer: nn.Layer, graph: ChannelGraph, units: Units, removing: Removing, inputs: tuple[Array, ...]
) -> Evaluator:
    """The compiled network where it can be had and agrees with the eager one; else the eager one, saying why.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        units: the units that shares of groups stand for.
        removing: takes shares of groups from the layer itself.
        inputs: a batch of the evaluation data; its first samples are the test of agreement, masked and not.
    """
    eager, probe = EagerEvaluator(removing), tuple(map_leaves(lambda array: array[:_PROBE], list(inputs)))
    groups = [group for group in graph.prunable if not group.inexact]
    half = [unit for group in groups for unit in _half(group)]
    forward = eager_forward(layer)
    dense = forward(probe)
    with masked(layer, graph, half):
        wanted = [dense, forward(probe)]
    problem = None
    for samples in (None, len(leaves(list(inputs))[0])):
        try:
            network = CompiledNetwork(layer, graph, samples)
            whole = network.open(unit for group in groups for unit in group.units)
            problem = first_disagreement(wanted, whole.run(probe, [(), half]))
            if problem is None:
                return CompiledEvaluator(network, eager, units, Expected(probe, dense, whole, groups))
        except Exception as error:
            problem = said_by(error)
    say(f"the network can't be compiled, so that the analysis is slower: {problem}")
    return eager


def first_disagreement(expected: Iterable[Outputs], got: Iterable[Outputs]) -> str | None:
    """The first of several disagreements; None if there is none."""
    return next(filter(None, (disagreement(a, b) for a, b in zip(expected, got, strict=True))), None)


def disagreement(expected: Outputs, got: Outputs) -> str | None:
    """What is wrong with a compiled network's outputs, compared with the eager one's; None if they agree."""
    if [x.shape for x in expected] != [x.shape for x in got]:
        return "the compiled outputs have other shapes"
    for a, b in zip(expected, got, strict=True):
        difference, scale = float(np.abs(a - b).max(initial=0)), float(np.abs(a).max(initial=0))
        if not difference <= TOLERANCE * max(scale, 1e-12):
            return f"the compiled outputs differ by {difference:.3g} of {scale:.3g}"
    return None


def _half(group: Group) -> list[int]:
    return list(group.units[: group.count(0.5)])


def _sample(output: Array) -> Array:
    """Numbers from all over an output, few enough to keep for every group."""
    flat = output.ravel()
    return flat[:: max(1, flat.size // _LOOKED_AT)]
