"""A cut network that is repaired gives nearly what the dense one gave, on inputs that the repair never saw."""

import numpy as np
import paddle
import pytest
from nets import LEFT, NETS, norm_net
from paddle import nn

import paddleprune
from paddleprune.graph.tensors import named_tensors, overwrite
from paddleprune.measure.evaluation import eager_forward
from paddleprune.repair import record
from paddleprune.repair.record import Seen
from paddleprune.repair.refit import Refit


def settled(make, shapes, seed=0):
    """A network whose batch norms have seen data, and inputs for it."""
    paddle.seed(seed)
    layer = make()
    for _ in range(20):
        layer(*(paddle.randn(shape) for shape in shapes))
    layer.eval()
    return layer


def inputs(shapes, seed):
    generator = np.random.default_rng(seed)
    return tuple(generator.standard_normal((160, *shape[1:])).astype("float32") for shape in shapes)


def weights(layer):
    return {name: tensor.numpy().copy() for name, tensor in named_tensors(layer).items()}


def lack(dense, got):
    """The square of what is missing, over all outputs, as a share of their size."""
    return sum(np.square(a - b).sum() for a, b in zip(dense, got, strict=True)) / sum(np.square(a).sum() for a in dense)


@pytest.mark.parametrize("kind", NETS)
def test_a_repair_brings_back_most_of_what_a_cut_took(kind):
    make, shapes = NETS[kind]
    layer = settled(make, shapes)
    before, fresh = weights(layer), inputs(shapes, 1)
    dense = eager_forward(layer)(fresh)
    graph = paddleprune.trace(layer, [(1, *shape[1:]) for shape in shapes], inexact=True)
    ratios = {group.name: 0.4 for group in graph.prunable}
    plan = paddleprune.plan(graph, ratios)
    paddleprune.shrink(layer, plan)
    cut = lack(dense, eager_forward(layer)(fresh))
    plan.undo(layer)
    plan = paddleprune.plan(graph, ratios)
    certificate = paddleprune.shrink(layer, plan, calibration=list(inputs(shapes, 2)))
    repaired = lack(dense, eager_forward(layer)(fresh))
    assert certificate.passed
    assert plan.plan.repair.samples == 160
    assert set(plan.plan.repair.left) == LEFT.get(kind, set())
    assert repaired <= (1 if kind == "odd" else 0.6) * cut
    plan.undo(layer)
    for name, array in weights(layer).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_channel_that_others_make_up_for_costs_nothing():
    """The second filter is twice the first: what reads it can read the first instead, exactly."""
    layer = settled(lambda: nn.Sequential(nn.Conv2D(3, 4, 3), nn.Conv2D(4, 2, 3)), [(2, 3, 8, 8)])
    for tensor in (layer[0].weight, layer[0].bias):
        array = tensor.numpy()
        array[1] = array[0] * 0.5
        overwrite(tensor, array)
    fresh = inputs([(2, 3, 8, 8)], 1)
    dense = eager_forward(layer)(fresh)
    graph = paddleprune.trace(layer, (1, 3, 8, 8))
    plan = paddleprune.plan(graph, {"0": 0.25}, criterion="l2")
    assert plan.plan.groups["0"].keep == (0, 2, 3)
    paddleprune.shrink(layer, plan, calibration=inputs([(2, 3, 8, 8)], 2)[0], ridge=1e-8)
    assert lack(dense, eager_forward(layer)(fresh)) < 1e-8
    share = layer[1].weight.numpy()[:, 0]
    plan.undo(layer)
    whole = layer[1].weight.numpy()
    np.testing.assert_allclose(share, whole[:, 0] + 0.5 * whole[:, 1], rtol=1e-3, atol=1e-5)


def test_a_strong_ridge_keeps_the_cut_weights_and_repairs_are_the_same_every_time():
    _, shapes = NETS["batch norms"]
    layer = settled(norm_net, shapes)
    graph, samples = paddleprune.trace(layer, (1, *shapes[0][1:])), inputs(shapes, 2)[0]
    found = []
    for ridge, calibration in ((1e-2, samples), (1e-2, samples), (1e9, samples), (1e-2, None)):
        plan = paddleprune.plan(graph, {group.name: 0.5 for group in graph.prunable})
        paddleprune.shrink(layer, plan, calibration=calibration, ridge=ridge)
        found.append(layer[-1].weight.numpy())
        plan.undo(layer)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[2], found[3], atol=1e-5)
    assert np.abs(found[0] - found[3]).max() > 1e-2


def test_little_memory_means_several_batches_and_fewer_rows_and_still_a_repair():
    _, shapes = NETS["batch norms"]
    layer = settled(norm_net, shapes)
    samples, fresh = inputs(shapes, 2), inputs(shapes, 1)
    assert len(record(layer, samples).batches) == 1
    assert len(record(layer, samples, memory=2_000_000).batches) > 3
    dense = eager_forward(layer)(fresh)
    graph = paddleprune.trace(layer, (1, *shapes[0][1:]))
    lacking = []
    for calibration in (None, samples[0]):
        plan = paddleprune.plan(graph, {group.name: 0.5 for group in graph.prunable})
        paddleprune.shrink(layer, plan, calibration=calibration, memory=2_000_000)
        lacking.append(lack(dense, eager_forward(layer)(fresh)))
        plan.undo(layer)
    assert lacking[1] < 0.6 * lacking[0]


def test_a_wide_layer_is_refitted_from_the_rows_of_all_calls():
    paddle.seed(0)
    reads, gave = (paddle.randn([2000, wide]).numpy() for wide in (1200, 4))
    found = []
    for calls in (1, 40):
        layer = nn.Linear(1200, 4)
        overwrite(layer.weight, np.ones((1200, 4), "float32"))
        refit = Refit(layer, None, None, len(reads), 1e-2)
        for x, y in zip(np.split(reads, calls), np.split(gave, calls), strict=True):
            refit.take(x, Seen(np.arange(len(x)), y, y.shape, (len(x),), 0))
        found.append(layer.weight.numpy())
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_a_layer_with_a_forward_of_its_own_is_left_and_named():
    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    layer = settled(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), Doubled(8, 3)), [(8, 4)])
    graph = paddleprune.trace(layer, (1, 4))
    plan = paddleprune.plan(graph, {"0": 0.5})
    paddleprune.shrink(layer, plan, calibration=inputs([(8, 4)], 0)[0])
    assert plan.plan.repair.left == {"2": "its output isn't its input times its weight"}
