"""How much units matter, by data and by weights, against scores computed by hand in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

import paddleprune
from paddleprune.api.budgets import Priced
from paddleprune.api.paths import paths_for
from paddleprune.engines import open_engine
from paddleprune.errors import ConfigError
from paddleprune.graph import build_graph
from paddleprune.graph.sizes import Sizes
from paddleprune.interfaces import Array
from paddleprune.sensitivity import Importance, SensitivityTable, weigh
from paddleprune.settings import DataCriterion, PruneSettings
from paddleprune.solver import Ceiling, Costs, order_by_importance

COUNT = 20
INPUTS = np.random.default_rng(0).standard_normal((COUNT, 3)).astype("float32")
LABELS = np.random.default_rng(1).standard_normal((COUNT, 2)).astype("float32")


def small() -> nn.Layer:
    paddle.seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))


def scored(layer: nn.Layer, criterion: DataCriterion) -> Importance:
    graph = paddleprune.trace(layer, INPUTS[:1])
    return paddleprune.score_units(graph, criterion, INPUTS, LABELS, nn.MSELoss())


def by_hand(layer: nn.Layer, criterion: str) -> Array:
    """Gradients of the mean squared error of a network of two layers, batch after batch of eight."""
    first, bias, second, shift = (p.numpy().astype(np.float64) for p in layer.parameters())
    rows = []
    for start in range(0, COUNT, 8):
        x, t = INPUTS[start : start + 8], LABELS[start : start + 8]
        hidden = np.maximum(x @ first + bias, 0)
        slope = hidden.T @ (2 * (hidden @ second + shift - t) / t.size)
        product = second * slope  # [units, outputs]
        rows.append(product.sum(1) ** 2 if criterion == "taylor" else len(x) / 2 * (product**2).sum(1))
    return np.mean(rows, axis=0)


@pytest.mark.parametrize("criterion", ["taylor", "obd"])
def test_scores_by_gradients_are_those_of_the_formula(criterion: DataCriterion) -> None:
    layer = small()
    layer[0].weight.stop_gradient = layer[2].weight.stop_gradient = True  # frozen parameters count, too
    layer.train()
    found = scored(layer, criterion)
    np.testing.assert_allclose(found.scores["0"], by_hand(layer, criterion), rtol=1e-4)
    assert layer[2].weight.stop_gradient
    assert not layer[2].bias.stop_gradient
    assert layer.training
    assert scored(layer, criterion) == found, "the same again"


def test_the_two_orders_differ() -> None:
    layer = small()
    graph = build_graph(layer, [(1, 3)])
    assert scored(layer, "taylor").rankings(graph) != scored(layer, "obd").rankings(graph)


def test_lamp_is_a_share_of_what_is_no_smaller() -> None:
    layer = small()
    squares = np.square(layer[0].weight.numpy().astype(np.float64)).sum(0)
    expected = [square / squares[squares >= square].sum() for square in squares]
    found = weigh(layer, build_graph(layer, [(1, 3)]), "lamp")
    np.testing.assert_allclose(found.scores["0"], expected, rtol=1e-5)
    assert max(found.scores["0"]) == pytest.approx(1)


def normed(*, norm: bool = True) -> nn.Layer:
    layers = [nn.Conv2D(1, 4, 1), *([nn.BatchNorm2D(4)] if norm else []), nn.ReLU(), nn.Conv2D(4, 3, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2D(3, 2, 1))


def test_bn_scale_ranks_by_the_scales_and_the_rest_by_l1(capsys: pytest.CaptureFixture[str]) -> None:
    layer = normed()
    layer[1].weight.set_value(np.array([0.5, -0.1, 0.2, -0.9], np.float32))
    graph = build_graph(layer, [(1, 1, 4, 4)])
    found = weigh(layer, graph, "bn_scale")
    np.testing.assert_allclose(found.scores["0"], np.array([0.5, 0.1, 0.2, 0.9]) / 0.425, rtol=1e-6)
    assert found.scores["3"] == weigh(layer, graph, "l1").scores["3"]
    assert "ranked by l1, since no batch norm follows them: 3\n" in capsys.readouterr().err
    bare = normed(norm=False)
    with pytest.raises(ConfigError, match="none follows a group; choose lamp or l1"):
        weigh(bare, build_graph(bare, [(1, 1, 4, 4)]), "bn_scale")


def test_units_of_all_groups_go_by_importance_for_what_they_save() -> None:
    layer = normed()
    graph = build_graph(layer, [(1, 1, 4, 4)])
    importance = Importance("taylor", {"0": (1.0, 2.0, 3.0, 4.0), "3": (0.9, 1.8, 9.0)})
    order = order_by_importance(graph, importance, Costs(graph), Ceiling({}))
    saved, values = Sizes(graph).slopes(())[1], importance.of_units(graph)
    units = [unit for name in ("0", "3") for unit in graph[name].units]
    assert order.units[0] == min(units, key=lambda unit: values[unit] / saved[unit])
    assert set(order.units) == set(graph["0"].units[:3] + graph["3"].units[:2])
    assert order.losses == tuple(values[list(order.units)])
    assert order.criterion == "taylor"


@pytest.mark.parametrize(("criterion", "together"), [("lamp", True), ("l1", False), ("bn_scale", False)])
def test_what_can_be_compared_takes_other_shares_of_each_group(criterion: Any, together: bool) -> None:
    layer = nn.Sequential(nn.Conv2D(1, 16, 3), nn.BatchNorm2D(16), nn.ReLU(), nn.Conv2D(16, 16, 3), nn.BatchNorm2D(16))
    layer = nn.Sequential(*layer, nn.ReLU(), nn.Conv2D(16, 2, 1))
    layer[1].weight.set_value(np.linspace(0.1, 1, 16).astype(np.float32))
    layer[0].weight.set_value(np.linspace(0.1, 1, 16 * 9).astype(np.float32).reshape(16, 1, 3, 3))
    graph = build_graph(layer, [(1, 1, 12, 12)])
    engine, asked = open_engine("native", layer, graph, criterion), PruneSettings(flops=0.5, criterion=criterion)
    (path,) = paths_for(engine, layer, graph, Priced.of(layer, engine, asked).costs, asked)
    plan = path.plan(0.5)
    ratios = [1 - len(group.keep) / group.units for group in plan.groups.values()]
    assert (max(ratios) - min(ratios) > 0.1 or len(ratios) == 1) == together
    assert plan.criterion == criterion


def test_scores_go_where_a_criterion_goes_and_a_table_keeps_them(tmp_path: Any) -> None:
    layer = small()
    graph, importance = paddleprune.trace(layer, INPUTS[:1]), scored(layer, "obd")
    first = int(np.argmin(importance.scores["0"]))
    assert first not in paddleprune.plan(graph, {"0": 0.17}, criterion=importance).plan.groups["0"].keep

    def error(net: nn.Layer) -> float:
        return float(((net(paddle.to_tensor(INPUTS)) - paddle.to_tensor(LABELS)) ** 2).mean())

    options: dict[str, Any] = {"ratios": [0.17], "higher_is_better": False, "save_file": tmp_path / "table.json"}
    paddleprune.analyze_layer(graph, error, criterion=importance, **options)
    table = SensitivityTable.load(tmp_path / "table.json")
    assert (table.criterion, table.scores) == ("obd", {"0": importance.scores["0"]})
    assert first not in paddleprune.plan(graph, table, eval_metric_loss=0.9).plan.groups["0"].keep
    with pytest.raises(ConfigError, match="measured with the criterion 'obd', not 'l1'"):
        paddleprune.plan(graph, table, criterion="l1")
    done = paddleprune.prune_layer(graph, error, calibration=INPUTS, criterion=importance, flops=0.84)
    assert done.plan.criterion == "obd"
    assert first not in done.plan.groups["0"].keep
    done.undo(layer)
    other = paddleprune.trace(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), INPUTS[:1])
    with pytest.raises(ConfigError, match="are of another network: 0 has 4 units, not 6; score this one"):
        paddleprune.plan(other, 0.5, criterion=importance)


def test_a_criterion_that_wants_labels_says_so() -> None:
    layer = small()
    graph = paddleprune.trace(layer, INPUTS[:1])
    for use in (
        lambda: paddleprune.plan(graph, flops=0.5, criterion="taylor"),
        lambda: paddleprune.prune_layer(graph, float, calibration=INPUTS, flops=0.5, criterion="taylor"),
        lambda: paddleprune.analyze_layer(graph, float, criterion="taylor"),
    ):
        with pytest.raises(ConfigError, match=r"needs labelled samples and a loss: give criterion=paddleprune\.score_"):
            use()
    with pytest.raises(ConfigError, match="PaddleSlim ranks by l1, l2, fpgm, not by lamp"):
        paddleprune.plan(graph, 0.5, criterion="lamp", engine="paddleslim")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tailor", INPUTS, LABELS, nn.MSELoss()), "unknown criterion 'tailor'; did you mean 'taylor'"),
        (("taylor", INPUTS, LABELS[:3], nn.MSELoss()), r"a label for each of the 20 inputs, not \(3, 2\)"),
        (("taylor", INPUTS, [0] * COUNT, nn.MSELoss()), r"a label for each of the 20 inputs, not \(\)"),
        (("taylor", INPUTS, LABELS, nn.NLLLoss()), "what the network gives in evaluation mode can't be computed: "),
        (("obd", INPUTS, LABELS * np.nan, nn.MSELoss()), "the loss or its gradient is no number for some samples"),
    ],
)
def test_what_scores_cannot_be_made_of(arguments: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        paddleprune.score_units(paddleprune.trace(small(), INPUTS[:1]), *arguments)


def test_groups_by_the_type_of_layer_that_makes_them() -> None:
    layer = nn.Sequential(nn.Conv2D(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 6), nn.ReLU(), nn.Linear(6, 2))
    graph = paddleprune.trace(layer, (1, 1, 4, 4))
    assert list(paddleprune.plan(graph, 0.5, exclude="type:Linear").plan.groups) == ["0"]
    assert list(paddleprune.plan(graph, 0.5, only=["type:Linear"]).plan.groups) == ["3"]
    assert list(paddleprune.plan(graph, 0.5, only=["type:Linear", "0"]).plan.groups) == ["0", "3"]
    with pytest.raises(ConfigError, match="by a layer of type 'Conv3D'; there are Conv2D, Linear"):
        paddleprune.plan(graph, 0.5, exclude="type:Conv3D")
    ending = paddleprune.trace(nn.Sequential(nn.Conv2D(1, 4, 4), nn.Flatten(), nn.Linear(4, 2)), (1, 1, 4, 4))
    assert list(paddleprune.plan(ending, 0.5, exclude="type:Linear").plan.groups) == ["0"], "it makes outputs alone"
