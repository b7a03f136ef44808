"""Which units go, and how far a search goes."""

import numpy as np
import paddle
import pytest
from paddle import nn

import paddleprune
from paddleprune.api.calibration import choose
from paddleprune.api.meter import halves
from paddleprune.graph.sizes import Sizes
from paddleprune.graph.tensors import overwrite
from paddleprune.repair import record
from paddleprune.sensitivity.measuring.scores import Score
from paddleprune.solver import Ceiling, Costs, UnitPath, order_units, search


def change(tensor, rows, values):
    array = tensor.numpy()
    array[rows] = values
    overwrite(tensor, array)


@pytest.fixture
def net():
    """Of its first filters one is read by nobody, and two are the same."""
    paddle.seed(0)
    layer = nn.Sequential(nn.Conv2D(3, 6, 3), nn.ReLU(), nn.Conv2D(6, 8, 3), nn.ReLU(), nn.Conv2D(8, 2, 1))
    change(layer[2].weight, (slice(None), 4), 0)
    change(layer[0].weight, 3, layer[0].weight.numpy()[1])
    change(layer[0].bias, 3, layer[0].bias.numpy()[1])
    return layer


def ordered(layer, samples=96):
    graph = paddleprune.trace(layer, (1, 3, 10, 10)).channels
    images = np.random.default_rng(0).standard_normal((samples, 3, 10, 10)).astype("float32")
    return graph, order_units(layer, graph, record(layer, (images,)), Costs(graph), Ceiling({}))


def test_what_nobody_reads_goes_first_then_one_of_two_that_are_the_same(net):
    graph, order = ordered(net)
    first = graph["0"].units
    places = [first.index(unit) for unit in order.units if unit in first]
    assert places[0] == 4
    assert places[1] in (1, 3)
    assert {1, 3} - set(places[:3]), "of the two that are the same, the other one is worth something now"
    assert not order.unscored


def test_every_cut_of_the_order_leaves_something_and_meets_the_cost(net):
    graph, order = ordered(net)
    dense = graph.cost().flops
    costs = Costs(graph)
    path = UnitPath(graph, order, costs, Ceiling({}))
    found = [path.plan(place).after.flops for place in (0, 0.25, 0.5, 0.75, 1)]
    assert found == sorted(found, reverse=True)
    assert found[0] == dense
    for share in (0.3, 0.6):
        count = order.until(costs, Ceiling({"flops": dense * share}))
        assert graph.cost(order.units[:count]).flops <= dense * share
        assert graph.cost(order.units[: count - 1]).flops > dense * share
    assert all(part.keep for part in path.plan(1).groups.values())


def test_nobody_who_reads_can_be_refitted(net):
    class Head(nn.Layer):
        def __init__(self):
            super().__init__()
            self.stem, self.table = nn.Linear(4, 6), self.create_parameter([6, 2])

        def forward(self, x):
            return paddle.matmul(nn.functional.relu(self.stem(x)), self.table)

    layer = Head()
    graph = paddleprune.trace(layer, (1, 4)).channels
    order = order_units(layer, graph, record(layer, (np.ones((8, 4), "float32"),)), Costs(graph), Ceiling({}))
    assert order.units == ()
    assert order.unscored == ("stem",)


def test_slopes_are_what_one_unit_more_saves():
    """Exactly, where a unit stands at one axis of each weight."""
    layer = paddle.vision.models.mobilenet_v2(scale=0.5, num_classes=3)
    graph = paddleprune.trace(layer, (1, 3, 32, 32)).channels
    gone = [group.units[0] for group in graph.prunable]
    sizes, cost = Sizes(graph), graph.cost(gone)
    parameters, flops = sizes.slopes(gone)
    for group in graph.prunable:
        rest = graph.cost([*gone, group.units[1]])
        assert flops[group.units[1]] == cost.flops - rest.flops
        assert parameters[group.units[1]] == cost.parameters - rest.parameters
        assert flops[group.units[0]] == parameters[group.units[0]] == 0
        assert sizes.cost(sizes.widths([*gone, group.units[1]])) == (rest.parameters, rest.flops)


@pytest.mark.parametrize(
    ("losses", "limit", "place"),
    [
        (lambda place: place, 0.25, 0.25),
        (lambda place: 0.0, 0.01, 1.0),
        (lambda place: 1.0, 0.5, 0.0),
        (lambda place: 0.0 if 0.4 < place < 0.6 else 0.3, 0.1, 0.6),  # better further on, as it isn't monotone
        (lambda place: -0.1, 0.0, 1.0),
    ],
)
def test_a_search_ends_at_a_place_that_was_measured_and_is_within_the_limit(losses, limit, place):
    found = search(lambda at: Score(0.0, losses(at)), limit)
    assert abs(found.place - place) <= 2**-7
    assert len(found.tried) == 8
    assert found.place == 0 or losses(found.place) <= limit


def test_a_search_leaves_one_standard_error():
    assert search(lambda at: Score(0.0, at, error=0.1), 0.3).place == pytest.approx(0.2, abs=2**-7)


class Numbers(paddleprune.Dataset):
    labels = ("few", "many")

    def __len__(self):
        return 100

    def targets(self):
        return (int(index >= 10) for index in range(100))

    def __getitem__(self, index):
        return (np.full(1, index, "float32"),), int(index >= 10)


def test_samples_are_drawn_evenly_from_the_classes_and_always_the_same():
    chosen = choose(Numbers(), 20)
    assert [index for index in chosen if index < 10] == [index for index in choose(Numbers(), 20) if index < 10]
    assert sum(index < 10 for index in chosen) == 10
    assert len(set(choose(Numbers(), 60))) == 60
    assert sorted(choose(Numbers(), 1000)) == list(range(100))


def test_what_searches_and_what_judges_share_no_sample():
    searching, judging = ({int(part[i][0][0][0]) for i in range(len(part))} for part in halves(Numbers()))
    assert len(searching) == len(judging) == 50
    assert searching | judging == set(range(100))
