"""Every group of every small network: masked equals shrunk, at every share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import networks
import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.graph import ChannelGraph, build_graph, explain, masked
from paddleprune.graph.tensors import named_tensors
from paddleprune.measure.evaluation import eager_forward
from paddleprune.pruning import certificate, protect_hard_coded, shrink
from paddleprune.pruning.forwards import run
from paddleprune.testing import check_exact, settle

PROBE = np.random.default_rng(3).standard_normal((3, 3, 16, 16)).astype(np.float32)


def built(kind: type[nn.Layer]) -> tuple[nn.Layer, ChannelGraph]:
    paddle.seed(1)
    layer = kind()
    settle(layer, [(3, 16, 16)])
    return layer, build_graph(layer, [(1, 3, 16, 16)])


@pytest.mark.parametrize("kind", networks.EXACT, ids=lambda kind: kind.__name__)
def test_masked_equals_shrunk(kind: type[nn.Layer]) -> None:
    layer, graph = built(kind)
    assert graph.prunable
    generator = np.random.default_rng(0)
    for group in graph.prunable:
        for ratio in (0.3, 0.5, 1.0):
            gone = group.removable(generator.permutation(group.units).tolist())[: max(1, group.count(ratio))]
            check_exact(layer, graph, gone, (PROBE,))
    shuffled = [(group, generator.permutation(group.units).tolist()) for group in graph.prunable]
    everything = [u for group, order in shuffled for u in group.removable(order)[: group.count(0.5)]]
    check_exact(layer, graph, everything, (PROBE,))


def sizes(kind: type[nn.Layer]) -> dict[str, int]:
    return {group.name: group.size for group in built(kind)[1].groups}


def reasons(kind: type[nn.Layer]) -> dict[str, str | None]:
    return {group.name: group.protected for group in built(kind)[1].groups}


def test_a_residual_stream_is_one_group() -> None:
    assert sizes(networks.Residual) == {"stem.0": 8, "a": 6, "head": 0}


def test_a_concat_leaves_its_parts_apart() -> None:
    assert sizes(networks.Concat) == {"stem.0": 8, "a": 6, "head": 0}


def test_depthwise_goes_with_its_input() -> None:
    graph = built(networks.Depthwise)[1]
    assert {axis.parameter for axis in graph.axes_of["stem.0"]} >= {"stem.0.weight", "a.weight", "a.bias", "b.weight"}
    assert "a" not in {group.name for group in graph.groups}


def test_groups_of_a_convolution_keep_equal_width() -> None:
    assert sizes(networks.Grouped) == {"stem.0": 2, "a": 3, "head": 0}


def test_a_single_filter_stays() -> None:
    assert reasons(networks.OneFilter)["a"] == "its channels stand or fall together, as one unit"


def test_reasons_name_the_operation_and_the_line() -> None:
    for kind, words in {
        networks.SoftmaxOverChannels: "softmax over the channel axis at networks.py:",
        networks.MeanOverChannels: "mean over the channel axis at networks.py:",
        networks.NoRule: "no rule for the operation temporal_shift at networks.py:",
    }.items():
        found = reasons(kind)
        assert (found["a"] or "").startswith(words), found
        assert found["head"] == "feeds an output of the model"
    assert "temporal_shift" in built(networks.NoRule)[1].uncounted


def test_a_gate_over_all_channels_stays() -> None:
    found = reasons(networks.SpatialGate)
    assert found["gate"] == "its channels stand or fall together, as one unit"
    assert found["stem.0"] is None


def test_a_hard_coded_width_is_found_and_named() -> None:
    layer, graph = built(networks.HardCoded)
    assert graph["a"].protected is None
    checked = protect_hard_coded(layer, graph)
    assert "hard-codes its width" in (checked["a"].protected or "")
    assert checked["stem.0"].protected is None
    assert checked["b"].protected is None


@pytest.mark.parametrize(("side", "sides"), [(127, {127}), (128, {64, 128})])
def test_cuts_are_tried_on_corners_of_large_images_and_on_the_images_at_last(
    side: int, sides: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = set[int]()

    def noted(layer: nn.Layer, inputs: Sequence[Any], *rest: Any) -> Any:
        tried.add(inputs[0].shape[2])
        return run(layer, inputs, *rest)

    monkeypatch.setattr(certificate, "run", noted)
    layer = networks.HardCodedForLargeImages()
    layer.eval()
    checked = protect_hard_coded(layer, build_graph(layer, [(1, 3, side, side)]))
    assert "hard-codes its width" in (checked["a"].protected or "")
    assert tried == sides


def test_masking_restores_bit_for_bit_even_after_an_error() -> None:
    layer, graph = built(networks.Residual)
    before = {name: tensor.numpy().copy() for name, tensor in named_tensors(layer).items()}

    def fail() -> None:
        with masked(layer, graph, graph["a"].units[:3]):
            assert not np.array_equal(layer.b.weight.numpy(), before["b.weight"])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    for name, tensor in named_tensors(layer).items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])


def test_shrinking_is_undone_bit_for_bit() -> None:
    layer, graph = built(networks.DepthwiseMultiplier)
    before, groups = eager_forward(layer)((PROBE,)), layer.a._groups
    undo = shrink(layer, graph, graph["stem.0"].units[:3])
    assert (layer.a._groups, layer.a.weight.shape[0]) == (5, 15)
    undo(layer)
    assert layer.a._groups == groups
    np.testing.assert_array_equal(before[0], eager_forward(layer)((PROBE,))[0])


def test_tracing_leaves_the_layer_alone() -> None:
    layer = networks.Residual()
    layer.train()
    build_graph(layer, [(1, 3, 16, 16)])
    assert layer.training
    assert "forward" not in vars(layer)


def test_cost_is_that_of_the_layer_and_matches_the_shrunk_one() -> None:
    _, graph = built(networks.Residual)
    batch_norm = 8 + 8  # scale and shift; running statistics aren't parameters
    assert graph.cost().parameters == 3 * 8 * 9 + 8 + batch_norm + 8 * 6 * 9 + 6 + 6 * 8 * 9 + 8 * 5 + 5
    convolutions = 16 * 16 * (3 * 8 * 9 + 8 * 6 * 9 + 6 * 8 * 9)
    assert graph.cost().flops == convolutions + 8 * 5
    gone = graph["a"].units[:3]
    assert graph.cost(gone).flops == 16 * 16 * (3 * 8 * 9 + 8 * 3 * 9 + 3 * 8 * 9) + 8 * 5


def test_explain_tells_shares_and_reasons() -> None:
    explanation = explain(built(networks.Residual)[1])
    by_name = {group.name: group for group in explanation.groups}
    assert by_name["a"].filters == 6
    assert by_name["stem.0"].filters == 16
    assert set(by_name["a"].parameters) == {"a.weight", "a.bias", "b.weight"}
    assert 0 < by_name["a"].flop_share < by_name["stem.0"].flop_share <= 1
    assert by_name["head"].protected == "feeds an output of the model"


def test_published_sizes() -> None:
    layer = paddle.vision.models.mobilenet_v2()
    cost = build_graph(layer, [(1, 3, 224, 224)]).cost()
    assert cost.parameters == 3_504_872  # as torchvision counts the same network
    assert cost.flops == 300_774_272
