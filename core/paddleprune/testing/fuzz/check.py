"""What must hold for every network: masked equals shrunk, and nothing is protected without need."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paddleprune.errors import GraphError
from paddleprune.graph import ChannelGraph, Group, build_graph, masked
from paddleprune.graph.inputs import leaves
from paddleprune.graph.walker import ALONE, Attention
from paddleprune.measure.evaluation import eager_forward
from paddleprune.pruning import protect_hard_coded
from paddleprune.sensitivity.masked.compiled import CompiledNetwork
from paddleprune.sensitivity.masked.evaluators import first_disagreement
from paddleprune.testing.exactness import check_exact, settle
from paddleprune.testing.fuzz.network import Network, example, sample_shapes
from paddleprune.testing.fuzz.program import Program
from paddleprune.testing.mending import check_order, check_repair

_HARD_CODING = {
    "divide_axis",
    "channel_shuffle",
    "windows",
    "to_image",
    "expand",
    "computed_heads",
    "parts",
    "positions",
    "sliced",
    "beside",
    "helped",
}
"""Kinds of steps that may write a width as a number, which the graph alone can't know."""
_PARTED = {"parts", "sliced", "beside"}
"""Kinds of steps of which a part may hold all positions of a single unit, which then stays; numbers beside channels can
leave equal parts that hold unequally many of them."""
_ALONE = 3
"""How many groups are cut alone, before all are cut together."""
_REPAIRED = 30
"""One network in so many is repaired, too: that takes longer than all of the rest."""
_LARGEST, _NOISE, _AMPLIFIED = 1e4, 1e-6, 30


class Degenerate(Exception):  # noqa: N818 (it never leaves the fuzzer)
    """A network that proves nothing: its outputs fade, explode, or amplify rounding, or Paddle can't trace it."""


@dataclass
class Tally:
    """What was checked.

    Attributes:
        groups: prunable groups.
        whole: networks that have none: only their graph was checked.
        cuts: comparisons of a masked network with the shrunk one, in which something is masked.
        compiled: networks whose compiled form agrees with the eager one, masked.
        fallbacks: networks that can't be compiled, or whose compiled form is wrong from the start, which an
            analysis finds out.
        inexact: groups whose masking changes statistics.
        protected: reason, without its place -> groups.
        uncounted: operations without a rule -> networks.
        kinds: kinds of steps -> how many.
        networks: how many networks.
        degenerate: those that proved nothing, not counted above.
    """

    groups: int = 0
    whole: int = 0
    cuts: int = 0
    compiled: int = 0
    fallbacks: int = 0
    inexact: int = 0
    protected: Counter[str] = field(default_factory=Counter)
    uncounted: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    networks: int = 0
    degenerate: int = 0

    def add(self, other: Tally) -> None:
        """Add what another one counted."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def check(
    program: Program,
    *,
    seed: int = 0,
    tidy: bool = False,
    attention: Attention = "heads",
    compiled: bool = False,
) -> Tally:
    """Build a network, remove random units from it, and compare.

    Args:
        program: the network.
        seed: of its weights, and of what is removed.
        tidy: all filters but those of the layers that give the outputs must be removable.
        attention: as for `build_graph`.
        compiled: compare the compiled network too.

    Raises:
        AssertionError: masked and shrunk differ, or something is protected without need.
        Degenerate: the outputs prove nothing.
    """
    network = Network(program, seed)
    settle(network, sample_shapes(program.inputs), seed)
    inputs = example(program.inputs)
    _check_outputs(network, inputs)
    graph = _graph(network, program, attention)
    if _HARD_CODING & {step.kind for step in program.all_steps()}:
        graph = protect_hard_coded(network, graph)
    if tidy:
        check_free(graph, program)
    generator = np.random.default_rng(seed)
    chosen = [graph.prunable[i] for i in generator.permutation(len(graph.prunable))]
    cuts = [_some(generator, [group]) for group in chosen[:_ALONE]] + [_some(generator, chosen)]
    for cut in filter(None, cuts):
        check_exact(network, graph, cut, inputs)
    if cuts[-1] and seed % _REPAIRED == 0:
        check_repair(network, graph, cuts[-1], inputs)
        check_order(network, graph, inputs)
    masks = [mask for mask in (_maskable(graph, cut) for cut in cuts) if mask]
    compiled = compiled and bool(masks)
    agreed = compiled and check_compiled(network, graph, masks[-1], inputs)
    reasons = Counter((group.protected or "").partition(" at ")[0] for group in graph.groups if group.protected)
    return Tally(
        networks=1,
        groups=len(graph.prunable),
        whole=int(not graph.prunable),
        cuts=len(masks),
        compiled=int(agreed),
        fallbacks=int(compiled and not agreed),
        kinds=Counter(step.kind for step in program.all_steps()),
        inexact=sum(group.inexact is not None for group in graph.prunable),
        protected=reasons,
        uncounted=Counter(graph.uncounted),
    )


def _graph(network: Network, program: Program, attention: Attention) -> ChannelGraph:
    try:
        return build_graph(network, program.inputs, attention=attention, inexact=True)
    except GraphError as error:
        if isinstance(error.__cause__, SyntaxError):  # now and then Paddle rewrites control flow to invalid Python
            raise Degenerate from error
        raise


def check_free(graph: ChannelGraph, program: Program) -> None:
    """Only the layers that give the outputs may be protected, and what is a single unit, or all of a part.

    Raises:
        AssertionError: something else is.
    """
    count = sum(1 for _ in _numbers(program.outputs))
    heads = [f"steps.{len(program.steps) - 1 - i}.weight" for i in range(count)]
    parted = not _PARTED.isdisjoint(step.kind for step in program.all_steps())
    for group in graph.groups:
        own = [axis for axis in graph.axes_of[group.name] if axis.role == "own"]
        if group.width == 1 or (parted and ALONE in (group.protected, group.why_stay)):
            continue
        if group.protected:
            assert {axis.parameter for axis in own} <= set(heads), f"{group.name} is protected: {group.protected}"
        else:
            assert len(group.units) == group.width, f"part of {group.name} is protected: {group.why_stay}"


def check_compiled(network: Network, graph: ChannelGraph, mask: list[int], inputs: tuple[Any, ...]) -> bool:
    """The compiled network and the eager one agree when masked, if they do when whole.

    Returns:
        Could it be compiled, and did it agree when whole? If not, an analysis goes on without it.

    Raises:
        AssertionError: they don't agree when masked.
    """
    eager = eager_forward(network)
    dense = eager(inputs)
    with masked(network, graph, mask):
        expected = eager(inputs)
    for samples in (None, len(leaves(list(inputs))[0])):
        try:
            program = CompiledNetwork(network, graph, samples).open(mask)
            if first_disagreement([dense], program.run(inputs, [(0, ())])) is not None:
                continue
        except Exception:
            continue
        problem = first_disagreement([expected, dense, expected], program.run(inputs, [(0, mask), (0, ()), (0, mask)]))
        assert problem is None, problem
        return True
    return False


def _check_outputs(network: Network, inputs: tuple[Any, ...]) -> None:
    """Discard networks whose outputs fade, explode or amplify what rounding does."""
    forward = eager_forward(network)
    outputs = forward(inputs)
    nudged = forward(_nudge(inputs))
    for a, b in zip(outputs, nudged, strict=True):
        scale = float(np.abs(a).max())
        if not 1e-3 < scale < _LARGEST or not float(np.abs(a - b).max()) < _AMPLIFIED * _NOISE * scale:
            raise Degenerate


def _nudge(nest: Any) -> Any:
    if isinstance(nest, dict):
        return {key: _nudge(value) for key, value in nest.items()}
    if isinstance(nest, (list, tuple)):
        return type(nest)(_nudge(value) for value in nest)
    return nest if "int" in str(nest.dtype) else nest * np.float32(1 + _NOISE)


def _some(generator: np.random.Generator, groups: list[Group]) -> list[int]:
    """A random share of the units of some groups; of a single group at least one."""
    gone: list[int] = []
    for group in groups:
        count = max(group.count(float(generator.uniform(0, 1))), int(len(groups) == 1))
        gone.extend(group.removable(generator.permutation(group.units).tolist())[:count])
    return gone


def _maskable(graph: ChannelGraph, cut: list[int]) -> list[int]:
    """What of a cut a mask can do exactly."""
    return sorted(set(cut) - set(graph.inexact_units(cut)))


def _numbers(nest: Any) -> Any:
    if isinstance(nest, int):
        yield nest
    elif nest is not None:
        for part in nest.values() if isinstance(nest, dict) else nest:
            yield from _numbers(part)
