"""Sensitivity tables of any layer, with a metric of the user's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from layer_nets import (
    PROBE,
    SPEC,
    assert_same,
    contents,
    outputs,
)
from paddle import nn

import paddleprune
from paddleprune.errors import (
    ConfigError,
    TableError,
)


def total(layer: nn.Layer) -> float:
    """Something that every unit matters for."""
    return float(np.abs(outputs(layer)).sum())


def test_a_table_is_resumed_and_makes_a_plan(layer: nn.Layer, tmp_path: Path) -> None:
    graph, before = paddleprune.trace(layer, SPEC), contents(layer)
    values: list[float] = []

    def interrupted(layer: nn.Layer) -> float:
        if len(values) == 4:
            raise KeyboardInterrupt
        values.append(total(layer))
        return values[-1]

    def counted(layer: nn.Layer) -> float:
        values.append(total(layer))
        return values[-1]

    arguments: dict[str, Any] = {"ratios": [0.25, 0.5], "save_file": tmp_path / "table.json"}
    layer.train()
    layer.mix.eval()  # a part that its owner has frozen
    with pytest.raises(KeyboardInterrupt):
        paddleprune.analyze_layer(graph, interrupted, **arguments)
    assert_same(layer, before)
    assert [part for part in layer.sublayers(include_self=True) if not part.training] == [layer.mix]
    table = paddleprune.analyze_layer(graph, counted, **arguments)
    assert len(values) == 7  # the dense layer and three groups at two ratios
    assert [len(points) for points in table.groups.values()] == [2, 2, 2]
    assert table == paddleprune.analyze_layer(graph, total, ratios=[0.25, 0.5])
    assert_same(layer, before)
    with graph.masked({"mix": 0.5}):
        assert table.groups["mix"][1].metric == pytest.approx(total(layer))

    plan = paddleprune.plan(graph, table, eval_metric_loss=0.99)
    assert {name: part.ratio for name, part in plan.plan.groups.items()} == {"a.0": 0.5, "b": 0.5, "mix": 0.5}
    assert plan.plan.eval_metric_loss == 0.99
    few = paddleprune.plan(graph, table)
    assert few.plan.eval_metric_loss == 0.05
    paddleprune.shrink(layer, plan)


def test_the_table_of_a_layer_is_drawn(layer: nn.Layer, tmp_path: Path) -> None:
    graph, file = paddleprune.trace(layer, SPEC), tmp_path / "table.json"
    paddleprune.analyze_layer(graph, total, ratios=[0.25, 0.5], save_file=file)
    pictures = paddleprune.visualize(file, model=graph, save_dir=tmp_path / "drawn")
    assert [picture.name for picture in pictures] == ["table.png", "table.curve.json", "table.heatmap.png"]
    assert json.loads(pictures[1].read_text())["model"] == type(layer).__name__
    with pytest.raises(ConfigError, match="for a layer leave eval_dataset out"):
        paddleprune.visualize(file, model=graph, eval_dataset="shapes")
    layer.b.weight.set_value(layer.b.weight + 1)
    with pytest.raises(TableError, match="other weights"):
        paddleprune.visualize(file, model=graph)


def test_a_metric_where_lower_is_better(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    lower = paddleprune.analyze_layer(graph, total, ratios=[0.5], higher_is_better=False, criterion="fpgm")
    higher = paddleprune.analyze_layer(graph, total, ratios=[0.5], criterion="fpgm")
    assert [p[0].loss for p in lower.groups.values()] == [-p[0].loss for p in higher.groups.values()]
    assert paddleprune.plan(graph, lower, eval_metric_loss=0.99).plan.criterion == "fpgm"


def test_a_table_is_of_one_model_criterion_and_direction(layer: nn.Layer, tmp_path: Path) -> None:
    graph, file = paddleprune.trace(layer, SPEC), tmp_path / "table.json"
    table = paddleprune.analyze_layer(graph, total, ratios=[0.5], save_file=file)
    with pytest.raises(TableError, match="the criterion l1, not l2"):
        paddleprune.analyze_layer(graph, total, ratios=[0.5], save_file=file, criterion="l2")
    with pytest.raises(TableError, match="other direction"):
        paddleprune.analyze_layer(graph, total, ratios=[0.5], save_file=file, higher_is_better=False)
    with pytest.raises(ConfigError, match="measured with the criterion 'l1', not 'l2'"):
        paddleprune.plan(graph, table, criterion="l2")
    with pytest.raises(ConfigError, match="measured with the engine 'native'"):
        paddleprune.plan(graph, table, engine="paddleslim")
    for loss, words in (
        (-1, "not -1$"),
        (1, "not 1; 1 would be all of it, and 1% is 0.01"),
        (5.0, "not 5; 5% is 0.05"),
    ):
        with pytest.raises(
            ConfigError, match=f"`eval_metric_loss` must be a share of the metric, from 0 to below 1, {words}"
        ):
            paddleprune.plan(graph, table, eval_metric_loss=loss)
    layer.head.bias.set_value(layer.head.bias + 1)
    with pytest.raises(TableError, match="other weights"):
        paddleprune.plan(graph, table)


def test_what_evaluate_may_not_do(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    with pytest.raises(ConfigError, match="evaluate returned None; it must return the metric"):
        paddleprune.analyze_layer(graph, lambda layer: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(TableError, match="is nan"):
        paddleprune.analyze_layer(graph, lambda layer: float("nan"))
    with pytest.raises(ConfigError, match=r"a ratio must lie between 0 and 1, got 2; 2% is 0\.02"):
        paddleprune.analyze_layer(graph, total, ratios=[2])

    def training(layer: nn.Layer) -> float:
        layer.train()
        layer({key: paddle.to_tensor(value) for key, value in PROBE[0].items()})
        return 1.0

    with pytest.raises(ConfigError, match="evaluate changed the layer's weights or statistics"):
        paddleprune.analyze_layer(graph, training)
