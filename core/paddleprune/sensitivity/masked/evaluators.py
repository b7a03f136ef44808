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
from paddleprune.interfaces import Array, Reduction
from paddleprune.machine.heap import release_heap
from paddleprune.measure.evaluation import Forward, eager_forward
from paddleprune.sensitivity.masked.compiled import CompiledNetwork, MaskedProgram
from paddleprune.settings import RATIOS

TOLERANCE = 1e-4
"""Largest difference between compiled and eager outputs that passes, as a share of the largest output."""
_PROBE = 2
"""Samples that the compiled programs are tried on."""
_LOOKED_AT = 4096
"""Numbers of an output that are compared for each group."""
_WEIGHTS = 128 * 2**20
"""Bytes of weights that the suffixes that are open at once may have, in all."""
MOST_TOGETHER = 8
"""Suffixes that are open at once; of more, the values of their borders take too much memory."""
_OUTPUTS = 512 * 2**20
"""Bytes of a batch's outputs, for the entries of so many groups."""

Outputs: TypeAlias = tuple[Array, ...]
Stage: TypeAlias = Callable[[tuple[Array, ...], Sequence[Mapping[str, float]]], Iterator[Outputs]]
"""(a batch's inputs, shares of groups to go: {} is the dense network) -> the outputs, once for each of those."""
Removing: TypeAlias = Callable[[Mapping[str, float]], AbstractContextManager[Forward]]
"""While open, the layer, and the forward that this yields, lacks those shares of groups."""
Units: TypeAlias = Callable[[Mapping[str, float]], list[int]]
"""Shares of groups -> the units that go."""


class Evaluator(Protocol):
    """A dense network that can be run without shares of its groups."""

    @property
    def most_samples(self) -> int | None:
        """How many samples a batch may have, so that its outputs fit in memory; None for any number."""

    def open(self, groups: Sequence[str]) -> AbstractContextManager[Stage]:
        """Make ready to run the network without a share of any one of these groups."""

    def together(self, groups: Sequence[str]) -> list[list[str]]:
        """Groups that are best opened together, so that they share work."""


class EagerEvaluator:
    """The layer itself, changed while it runs.

    Args:
        removing: takes shares of groups from it.
    """

    most_samples = None

    def __init__(self, removing: Removing) -> None:
        self._removing = removing

    @contextmanager
    def open(self, groups: Sequence[str]) -> Iterator[Stage]:
        """Make ready to run the network without a share of any one of these groups."""
        yield self.run

    def together(self, groups: Sequence[str]) -> list[list[str]]:
        """Each by itself: there is nothing to share."""
        return [[name] for name in groups]

    def run(self, inputs: tuple[Array, ...], shares: Sequence[Mapping[str, float]]) -> Iterator[Outputs]:
        """The outputs for a batch, once without each of these shares."""
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

    Attributes:
        bytes_per_sample: of all outputs, or of what is kept of them.
    """

    def __init__(
        self, inputs: tuple[Array, ...], dense: Outputs, whole: MaskedProgram, groups: Sequence[Group]
    ) -> None:
        self._inputs = inputs
        kept = next(whole.run(inputs, [(0, ())], reduced=True))
        self.bytes_per_sample = max(1, sum(y.nbytes for y in kept) // len(leaves(list(inputs))[0]))
        self._dense = tuple(map(_sample, dense))
        halves = whole.run(inputs, [(0, _half(group)) for group in groups])
        self._half = {group.name: tuple(map(_sample, y)) for group, y in zip(groups, halves, strict=True)}

    def problem(self, program: MaskedProgram, number: int, group: Group) -> str | None:
        """What is wrong with a group's suffix; None if it agrees, also when it is run again."""
        wanted = [self._dense, self._half[group.name], self._dense]
        runs = program.run(self._inputs, [(number, ()), (number, _half(group)), (number, ())])
        return first_disagreement(wanted, (tuple(map(_sample, outputs)) for outputs in runs))


class CompiledEvaluator:
    """Programs cut from the compiled network; each is tried before it is trusted.

    Args:
        network: the compiled network.
        eager: runs what can't be compiled.
        units: the units that shares of groups stand for.
        expected: what the programs must give on a few samples.
    """

    def __init__(self, network: CompiledNetwork, eager: EagerEvaluator, units: Units, expected: Expected) -> None:
        self._network, self._eager, self._units, self._expected = network, eager, units, expected

    @property
    def most_samples(self) -> int:
        """A batch is run for many entries at once, and all their outputs are held."""
        return max(1, _OUTPUTS // (self._expected.bytes_per_sample * MOST_TOGETHER * len(RATIOS)))

    def together(self, groups: Sequence[str]) -> list[list[str]]:
        """Some groups that follow each other share a prefix; each has a suffix, with weights of its own."""
        count = max(1, min(MOST_TOGETHER, _WEIGHTS // self._network.source.size))
        return [list(groups[i : i + count]) for i in range(0, len(groups), count)]

    @contextmanager
    def open(self, groups: Sequence[str]) -> Iterator[Stage]:
        """Make ready to run the network without a share of any one of these groups."""
        exact = [group for group in map(self._network.graph.__getitem__, groups) if not group.inexact]
        program = None
        numbers: dict[str, int] = {}
        try:
            program = self._network.open(*(group.units for group in exact)) if exact else self._network.open(())
            for number, group in enumerate(exact):
                problem = self._expected.problem(program, number, group)
                if problem is None:
                    numbers[group.name] = number
                else:
                    _say_slower(group.name, problem)
        except Exception as error:
            _say_slower(", ".join(group.name for group in exact) or "the dense network", said_by(error))
            program = None

        def run(inputs: tuple[Array, ...], shares: Sequence[Mapping[str, float]]) -> Iterator[Outputs]:
            fast = [share for share in shares if program is not None and set(share) <= set(numbers)]
            removals = [(numbers[next(iter(share))] if share else 0, self._units(share)) for share in fast]
            outputs = program.run(inputs, removals, reduced=True) if program is not None and fast else iter(())
            for share in shares:
                yield next(outputs) if share in fast else next(self._eager.run(inputs, [share]))

        try:
            yield run
        finally:
            program = None
            release_heap()


def _say_slower(what: str, problem: str) -> None:
    say(f"{what} can't be compiled and is measured slower: {problem}")


def choose_evaluator(
    layer: nn.Layer,
    graph: ChannelGraph,
    units: Units,
    removing: Removing,
    inputs: tuple[Array, ...],
    reduction: Reduction | None = None,
) -> Evaluator:
    """The compiled network where it can be had and agrees with the eager one; else the eager one, saying why.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        units: the units that shares of groups stand for.
        removing: takes shares of groups from the layer itself.
        inputs: a batch of the evaluation data; its first samples are the test of agreement, masked and not.
        reduction: what the compiled network gives in its outputs' place.
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
            network = CompiledNetwork(layer, graph, samples, reduction)
            whole = network.open(unit for group in groups for unit in group.units)
            problem = first_disagreement(wanted, whole.run(probe, [(0, ()), (0, half)]))
            if problem is None:
                expected = Expected(probe, dense, whole, groups)
                del whole
                release_heap()
                return CompiledEvaluator(network, eager, units, expected)
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
    return group.removable()[: group.count(0.5)]


def _sample(output: Array) -> Array:
    """Numbers from all over an output, few enough to keep for every group."""
    flat = output.ravel()
    return flat[:: max(1, flat.size // _LOOKED_AT)]
