"""Compiled and eager evaluation: the same outputs, and which of them is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paddle
import pytest
import small
from paddle import nn

from paddleprune.api.measuring import measure_with
from paddleprune.engines import open_engine
from paddleprune.engines.native import NativeEngine
from paddleprune.errors import GraphError
from paddleprune.graph import ChannelGraph, build_graph, masked
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import Batches, eager_forward
from paddleprune.sensitivity import Question
from paddleprune.sensitivity.masked import compiled
from paddleprune.sensitivity.masked.compiled import CompiledNetwork, MaskedProgram, _Suffix
from paddleprune.sensitivity.masked.evaluators import CompiledEvaluator, EagerEvaluator, Evaluator
from paddleprune.testing import settle


def evaluator(layer: nn.Layer, graph: ChannelGraph, batches: Batches) -> Evaluator:
    return NativeEngine(layer, graph, "l1").evaluator(batches)


def test_both_agree_for_every_group_on_partial_batches_too() -> None:
    layer, graph, data = small.parts()
    network = CompiledNetwork(layer, graph)
    for group in graph.prunable:
        program, gone = network.open(group.units), group.removable()[: group.count(0.5)]
        for inputs, _ in Batches(data, 16):
            outputs = program.run(inputs, [(0, ()), (0, gone), (0, ())])
            for removed, (got,) in zip(((), gone, ()), outputs, strict=True):
                with masked(layer, graph, removed):
                    np.testing.assert_allclose(got, eager_forward(layer)(inputs)[0], atol=1e-5)


def test_any_groups_can_be_opened_together_and_none_gives_the_dense_network() -> None:
    layer, graph, data = small.parts()
    network = CompiledNetwork(layer, graph)
    units = [unit for group in graph.prunable for unit in group.removable()[: group.count(0.75)]]
    with masked(layer, graph, units):
        expected = eager_forward(layer)((data.images,))[0]
    (got,) = network.open(units).run((data.images,), [(0, units)])
    np.testing.assert_allclose(got[0], expected, atol=1e-5)
    (dense,) = network.open(()).run((data.images[:3],), [(0, ())])
    np.testing.assert_allclose(dense[0], eager_forward(layer)((data.images[:3],))[0], atol=1e-5)


def test_batches_are_as_large_as_their_outputs_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, graph, data = small.parts()
    monkeypatch.setattr("paddleprune.sensitivity.masked.evaluators._OUTPUTS", 4 * 4 * 8 * 9 * 5)  # 4 scores, 72 entries
    batches = Batches(data, 16)
    measure_with(open_engine("native", layer, graph, "l1"), small.Accuracy(), batches, Question())
    assert batches.batch_size == 5


class TwoHeads(nn.Layer):
    """Its second output doesn't depend on what feeds the first."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, 8, 3, padding=1)
        self.deep, self.a = nn.Conv2D(8, 8, 3, padding=1), nn.Conv2D(8, 4, 1)
        self.wide, self.b = nn.Conv2D(8, 8, 3, padding=1), nn.Conv2D(8, 4, 1)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        return self.b(self.wide(x).tanh()), self.a(self.deep(x).tanh())


def test_outputs_that_no_mask_affects_are_computed_once_a_batch() -> None:
    paddle.seed(0)
    layer = TwoHeads()
    layer.eval()
    graph = build_graph(layer, [(1, 3, 8, 8)])
    program = CompiledNetwork(layer, graph).open(graph["deep"].units)
    assert program.suffixes[0].affected == (1,)
    images, gone = np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(np.float32), graph["deep"].units[:4]
    with masked(layer, graph, gone):
        expected = eager_forward(layer)((images,))
    (outputs,) = program.run((images,), [(0, gone)])
    for a, b in zip(expected, outputs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


class MakesSizes(small.Net):
    """A program for any number of images computes sizes that a program for one of them holds."""

    def forward(self, x: Any) -> Any:
        n, _, *rest = x.shape
        return super().forward(x * paddle.ones([n, 1, *rest]).expand([n, 3, *rest]))


def test_masks_stand_where_they_stood_though_a_program_computes_more_sizes() -> None:
    layer, graph, data = small.parts(MakesSizes)
    network = CompiledNetwork(layer, graph)
    assert len(network.source.captured.ops) > len(graph.operations)
    gone = [unit for group in graph.prunable for unit in group.units[::2]]
    with masked(layer, graph, gone):
        expected = eager_forward(layer)((data.images,))[0]
    (outputs,) = network.open(gone).run((data.images,), [(0, gone)])
    np.testing.assert_allclose(outputs[0], expected, atol=1e-5)


class MoreForMore(small.Net):
    """It does something else for one image."""

    def forward(self, x: Any) -> Any:
        return super().forward(x) if x.shape[0] == 1 else super().forward(x) + super().forward(x)


def test_a_program_that_does_something_else_is_refused() -> None:
    layer, graph, _ = small.parts(MoreForMore)
    with pytest.raises(GraphError, match="for so many samples the network has another number of conv2d"):
        CompiledNetwork(layer, graph)


class HoldsItsBatch(small.Net):
    """Its forward holds the number of images where a program for any number of them can't."""

    def forward(self, x: Any) -> Any:
        return super().forward(x + paddle.zeros([1]).expand([int(x.shape[0]), 3, 12, 12]))


def test_a_network_that_holds_the_size_of_its_batch_is_compiled_for_that_size() -> None:
    layer, graph, data = small.parts(HoldsItsBatch)
    network = CompiledNetwork(layer, graph, 16)
    gone = graph["stem.0"].units[:4]
    with masked(layer, graph, gone):
        expected = eager_forward(layer)((data.images,))[0]
    (outputs,) = network.open(gone).run((data.images,), [(0, gone)])  # 40 images: two runs of 16, and one of 8
    np.testing.assert_allclose(outputs[0], expected, atol=1e-5)


def test_runs_are_as_large_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, graph, data = small.parts()
    monkeypatch.setattr(compiled, "_LARGEST_VALUE", 16 * 12 * 12 * 4 * 5)
    program = CompiledNetwork(layer, graph).open(graph["stem.0"].units)
    assert program.samples == 4
    (outputs,) = program.run((data.images,), [(0, ())])
    np.testing.assert_allclose(outputs[0], eager_forward(layer)((data.images,))[0], atol=1e-5)


class Normed(nn.Layer):
    """Batch norms that can be folded, and some that can't: after an addition, and after a convolution used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2D(i, 8, 3, padding=1, bias_attr=False) for i in (3, 8, 8))
        self.one, self.two, self.three = (nn.BatchNorm2D(8) for _ in range(3))
        self.head = nn.Conv2D(8, 4, 1)

    def forward(self, x: Any) -> Any:
        x = self.one(self.a(x)).tanh()
        y = self.b(x)
        return self.head(self.two(y) + self.three(self.c(x) + y))


def test_batch_norms_are_folded_where_nothing_else_sees_the_convolution() -> None:
    paddle.seed(0)
    layer = Normed()
    settle(layer, [(3, 8, 8)])
    graph = build_graph(layer, [(1, 3, 8, 8)])
    network = CompiledNetwork(layer, graph)
    assert len(network.source.folded.shifts) == 1
    images = np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(np.float32)
    gone = graph["a"].units[:4]
    with masked(layer, graph, gone):
        expected = eager_forward(layer)((images,))[0]
    (outputs,) = network.open(gone).run((images,), [(0, gone)])
    np.testing.assert_allclose(outputs[0], expected, atol=1e-5)


@pytest.mark.parametrize("kind", [small.Net, small.ChannelsLast, HoldsItsBatch])
def test_what_can_be_compiled_is(kind: type[nn.Layer], capsys: pytest.CaptureFixture[str]) -> None:
    layer, graph, data = small.parts(kind)
    chosen = evaluator(layer, graph, Batches(data, 16))
    assert isinstance(chosen, CompiledEvaluator)
    for group in graph.prunable:
        with chosen.open([group.name]) as stage:
            assert len(list(stage((data.images[:4],), [{group.name: 0.5}]))) == 1
    assert capsys.readouterr().err == ""


def test_a_network_that_compiles_to_something_else_is_run_eagerly(capsys: pytest.CaptureFixture[str]) -> None:
    layer, graph, data = small.parts(small.Untraceable)
    assert isinstance(evaluator(layer, graph, Batches(data, 16)), EagerEvaluator)
    assert "can't be compiled" in capsys.readouterr().err


def test_masks_that_do_nothing_are_noticed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    layer, graph, data = small.parts()
    masks = _Suffix.masks
    monkeypatch.setattr(_Suffix, "masks", lambda self, removed: masks(self, ()))
    assert isinstance(evaluator(layer, graph, Batches(data, 16)), EagerEvaluator)
    assert "the compiled outputs differ" in capsys.readouterr().err


def test_a_program_that_differs_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layer, graph, data = small.parts()
    batches = Batches(data, 16)
    chosen, run = evaluator(layer, graph, batches), MaskedProgram.run

    def wrong(self: MaskedProgram, inputs: tuple[Array, ...], removals: Sequence[Any]) -> Any:
        return ((y * 1.001,) for (y,) in run(self, inputs, removals))

    monkeypatch.setattr(MaskedProgram, "run", wrong)
    share: Mapping[str, float] = {"stem.0": 0.5}
    with chosen.open(["stem.0"]) as stage:
        (outputs,) = stage((data.images,), [share])
    assert "stem.0 can't be compiled and is measured slower" in capsys.readouterr().err
    with open_engine("native", layer, graph, "l1").removing(share) as forward:
        np.testing.assert_array_equal(outputs[0], forward((data.images,))[0])
