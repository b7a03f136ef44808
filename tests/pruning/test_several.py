"""Two cuts in a row are one plan of the dense network, which cuts it to the same weights, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.pruning import Plan, joined, make_plan, prune
from paddleprune.sensitivity import rank
from paddleprune.training.weights import set_weights, weights_of

SHAPE = (1, 3, 32, 32)


def cut(layer: nn.Layer, graph: ChannelGraph, seed: int, depth: bool = False) -> Plan:
    """Carry out a plan that takes random units of most groups and, with depth, a branch."""
    generator = np.random.default_rng(seed)

    def drawn(name: str, filters: np.ndarray) -> np.ndarray:
        return generator.random(len(filters))

    ratios = {group.name: float(generator.choice([0.0, 0.2, 0.4])) for group in graph.prunable}
    gone = [branch.name for branch in graph.branches if not branch.protected][seed::3][:1] if depth else []
    plan = make_plan(graph, ratios, rank(layer, graph, drawn), criterion="random", branches=dict.fromkeys(gone))
    return prune(layer, graph, plan, [generator.standard_normal((2, *SHAPE[1:]), np.float32)])


@pytest.mark.parametrize(
    ("build", "depth"),
    [
        (lambda: paddle.vision.models.mobilenet_v2(scale=0.25, num_classes=4), True),
        (lambda: paddle.vision.models.squeezenet1_1(num_classes=4), False),
        pytest.param(
            lambda: paddle.vision.models.mobilenet_v2(scale=0.25, num_classes=4), False, marks=pytest.mark.slow
        ),
        pytest.param(lambda: paddle.vision.models.shufflenet_v2_x0_25(num_classes=4), False, marks=pytest.mark.slow),
    ],
)
def test_two_cuts_are_one(build: Callable[[], Any], depth: bool) -> None:
    paddle.seed(0)
    layer, again = build(), build()
    set_weights(again, weights_of(layer))
    layer.eval()
    again.eval()
    dense = build_graph(layer, [SHAPE], depth=depth)
    first = cut(layer, dense, 0, depth)
    between = build_graph(layer, [SHAPE], depth=depth)
    second = cut(layer, between, 1, depth)
    both = joined(first, dense, second, between)
    assert both is not None
    assert (both.before, both.after) == (first.before, second.after)
    assert both.model == first.model
    assert bool(both.branches) == depth
    prune(again, build_graph(again, [SHAPE], depth=depth), both, [np.ones(SHAPE, np.float32)])
    wanted = weights_of(layer)
    found = weights_of(again)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_shares_of_the_network_between_become_numbers_and_other_engines_numbers_are_left_alone() -> None:
    layer = nn.Sequential(nn.Conv2D(3, 8, 3), nn.ReLU(), nn.Conv2D(8, 8, 3), nn.ReLU(), nn.Conv2D(8, 2, 3))
    dense = build_graph(layer, [SHAPE])
    first = cut(layer, dense, 4)
    between = build_graph(layer, [SHAPE])
    second = cut(layer, between, 5).model_copy(update={"budget": {"flops": 0.5, "params": 200.0, "latency": 0.5}})
    both = joined(first, dense, second, between)
    assert both is not None
    assert both.budget == {"flops": 0.5 * second.before.flops, "params": 200.0, "latency": 0.5}
    assert joined(first, dense, second.model_copy(update={"engine": "paddleslim"}), between) is None
    assert joined(first.model_copy(update={"groups": {}}), dense, second, between) is None
