"""Every operation and idiom of the tables: the right groups, the right reasons, masked equals shrunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import ops_blocks
import ops_convolutions
import ops_norms
import ops_pointwise
import ops_products
import ops_sliced
import ops_space
import ops_written
import paddle
import pytest
from ops_support import Case
from paddle import nn

from paddleprune.graph import ChannelGraph, Group, build_graph, masked, random_inputs
from paddleprune.graph.inputs import Input, map_leaves, read_inputs
from paddleprune.measure.evaluation import eager_forward
from paddleprune.pruning import protect_hard_coded
from paddleprune.sensitivity.masked.compiled import CompiledNetwork
from paddleprune.testing import check_exact, settle

CASES: tuple[Case, ...] = (
    *ops_convolutions.CASES,
    *ops_products.CASES,
    *ops_norms.CASES,
    *ops_pointwise.CASES,
    *ops_space.CASES,
    *ops_blocks.CASES,
    *ops_written.CASES,
    *ops_sliced.CASES,
)
OUTPUT = "feeds an output of the model"


def built(case: Case, inexact: bool = False) -> tuple[nn.Layer, ChannelGraph]:
    paddle.seed(1)
    layer = case.network()
    settle(layer, case.inputs)
    wanted = tuple(map_leaves(lambda x: Input((2, *x.shape), x.dtype), entry) for entry in read_inputs(case.inputs))
    return layer, build_graph(layer, wanted, attention=case.attention, inexact=inexact)


def some(groups: Sequence[Group], ratio: float, generator: np.random.Generator) -> list[int]:
    """Units of groups, chosen at random."""
    shuffled = [(group, generator.permutation(group.units).tolist()) for group in groups]
    return [unit for group, order in shuffled for unit in group.removable(order)[: group.count(ratio)]]


def cuts(graph: ChannelGraph) -> Iterator[list[int]]:
    """Every group alone at three ratios, and all of them together, each at another ratio."""
    generator = np.random.default_rng(0)
    for group in graph.prunable:
        yield from (some([group], ratio, generator) for ratio in (0.3, 0.5, 1.0))
    yield [unit for group in graph.prunable for unit in some([group], generator.uniform(0.2, 0.8), generator)]


def check_groups(graph: ChannelGraph, expected: dict[str, int | str]) -> None:
    """The prunable groups are exactly those expected, and every other one has the expected reason."""
    assert len({group.name for group in graph.groups}) == len(graph.groups), "two groups have the same name"
    sizes = {group.name: group.size for group in graph.prunable}
    reasons = {group.name: group.protected for group in graph.groups}
    assert sizes == {name: size for name, size in expected.items() if isinstance(size, int)}, reasons
    for name, reason in reasons.items():
        if reason is not None:
            assert str(expected.get(name, OUTPUT)) in reason, f"{name}: {reason}"
    assert set(expected) <= set(reasons)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_groups_reasons_and_exactness(case: Case) -> None:
    layer, graph = built(case)
    protected = {name: words for name, (_, words) in case.inexact.items()}
    check_groups(graph.protecting(dict(case.hard_coded)), {**case.groups, **protected, **case.hard_coded})
    graph = protect_hard_coded(layer, graph)
    check_groups(graph, {**case.groups, **protected, **case.hard_coded})
    probe = random_inputs(graph.inputs, seed=3)
    for removed in cuts(graph):
        check_exact(layer, graph, removed, probe)
    if case.compiled:
        check_compiled(layer, graph, probe)


@pytest.mark.parametrize("case", [case for case in CASES if case.inexact], ids=lambda case: case.name)
def test_inexact_groups_are_measured_shrunk(case: Case) -> None:
    layer, graph = built(case, inexact=True)
    sizes = {name: size for name, (size, _) in case.inexact.items()}
    check_groups(graph, {**case.groups, **sizes})
    for name, (_, words) in case.inexact.items():
        assert words in (graph[name].inexact or ""), name
    assert {group.name for group in graph.prunable if group.inexact} == set(case.inexact)
    probe = random_inputs(graph.inputs, seed=3)
    for removed in cuts(graph):
        check_exact(layer, graph, removed, probe)


def check_compiled(layer: nn.Layer, graph: ChannelGraph, probe: tuple[Any, ...]) -> None:
    """The compiled network with masks gives what the masked layer does."""
    compiled = CompiledNetwork(layer, graph, 2)
    for removed in cuts(graph):
        with masked(layer, graph, removed):
            expected = eager_forward(layer)(probe)
        for outputs in compiled.open(removed).run(probe, [(0, removed)]):
            for a, b in zip(expected, outputs, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-4 * float(np.abs(a).max()))
