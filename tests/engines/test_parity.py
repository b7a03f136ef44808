"""Both engines on the same networks: the same groups, filters, costs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.vision import models

from paddleprune.engines import Engine, open_engine
from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.measure.evaluation import eager_forward
from paddleprune.settings import Criterion
from paddleprune.testing import settle

SIDE = 32
NETWORKS: dict[str, Callable[[], nn.Layer]] = {
    "mobilenet_v1": lambda: models.mobilenet_v1(scale=0.25, num_classes=4),
    "mobilenet_v2": lambda: models.mobilenet_v2(scale=0.25, num_classes=4),
    "resnet18": lambda: models.resnet18(num_classes=4),
}
LEFT_WHOLE = {"mobilenet_v1": set(), "mobilenet_v2": {"features.18.0"}, "resnet18": set()}
"""What only the native engine prunes: a dropout stands before the head."""


def built(name: str) -> tuple[nn.Layer, ChannelGraph]:
    paddle.seed(0)
    layer = NETWORKS[name]()
    settle(layer, [(3, SIDE, SIDE)])
    layer.eval()
    return layer, build_graph(layer, [(1, 3, SIDE, SIDE)])


@cache
def engines(name: str, criterion: Criterion) -> tuple[ChannelGraph, Engine, Engine]:
    layer, graph = built(name)
    return graph, open_engine("native", layer, graph, criterion), open_engine("paddleslim", layer, graph, criterion)


@pytest.mark.parametrize("name", NETWORKS)
def test_both_find_the_same_groups(name: str) -> None:
    _, native, slim = engines(name, "l1")
    names = [[group.name for group in engine.groups] for engine in (native, slim)]
    assert names[1] == [name_ for name_ in names[0] if name_ not in LEFT_WHOLE[name]]
    assert len(names[1]) == len(names[0]) - len(LEFT_WHOLE[name])
    for a, b in zip([g for g in native.groups if g.name in names[1]], slim.groups, strict=True):
        assert [a.count(ratio / 10) for ratio in range(11)] == [b.count(ratio / 10) for ratio in range(11)]


@pytest.mark.parametrize("criterion", ["l1", "l2", "fpgm"])
@pytest.mark.parametrize("name", NETWORKS)
def test_both_choose_the_same_filters(name: str, criterion: Criterion) -> None:
    """Of one convolution. Of several, PaddleSlim scores the first alone, and the native engine all of them."""
    graph, native, slim = engines(name, criterion)
    compared = 0
    for group in slim.groups:
        producers = [axis for axis in graph.axes_of[group.name] if axis.role == "own"]
        if len(producers) > 1 or len(producers[0].units) > 128:  # FPGM takes PaddleSlim a minute on the widest
            continue
        a, b = (engine.plan({group.name: 0.5}) for engine in (native, slim))
        assert a.groups[group.name] == b.groups[group.name]
        assert (a.before, a.after) == (b.before, b.after)
        compared += 1
    assert compared >= 4


@pytest.mark.parametrize("name", NETWORKS)
def test_both_leave_the_same_network(name: str) -> None:
    probe = (np.random.default_rng(1).standard_normal((2, 3, SIDE, SIDE)).astype(np.float32),)
    (one, graph), (other, _) = built(name), built(name)
    native, slim = open_engine("native", one, graph, "l2"), open_engine("paddleslim", other, graph, "l2")
    plan = slim.plan({group.name: 0.25 + 0.1 * (i % 5) for i, group in enumerate(slim.groups)})
    done = [native.prune(plan, probe), slim.prune(plan, probe)]
    assert all(result.certificate is not None and result.certificate.passed for result in done)
    assert done[0].attributes == done[1].attributes
    a, b = (eager_forward(layer)(probe)[0] for layer in (one, other))
    assert np.abs(a - b).max() <= 1e-4 * np.abs(a).max()
    for layer in (one, other):
        sizes = {key: tuple(tensor.shape) for key, tensor in layer.named_parameters()}
        assert sum(int(np.prod(sizes[key])) for key in graph.parameters) == plan.after.parameters
        assert build_graph(layer, [(1, 3, SIDE, SIDE)]).cost().flops == plan.after.flops
    widths = [{key: vars(sub).get("_in_channels") for key, sub in layer.named_sublayers()} for layer in (one, other)]
    assert widths[0] == widths[1]
    assert {key: t.shape for key, t in one.state_dict().items()} == {k: t.shape for k, t in other.state_dict().items()}


def test_rounding_keeps_more() -> None:
    _, native, slim = engines("mobilenet_v1", "l1")
    for engine in (native, slim):
        ratios = dict.fromkeys((group.name for group in engine.groups), 0.3)
        plan = engine.plan(ratios, round_to=8)
        assert plan.groups
        for name, part in plan.groups.items():
            assert len(part.keep) % 8 == 0, name
            assert len(part.keep) >= 0.7 * part.units - 0.5
    ratios = dict.fromkeys((group.name for group in slim.groups), 0.3)
    assert native.plan(ratios, round_to=8).groups == slim.plan(ratios, round_to=8).groups
