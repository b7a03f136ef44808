"""A criterion of the user's own, groups that stay whole, and layers where a checkpoint is wanted."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import run
from layer_nets import SPEC, contents, outputs
from paddle import nn

import paddleprune
from paddleprune.api.calibration import labelled_batches, open_labelled
from paddleprune.api.loading import open_model
from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array
from paddleprune.registry import Registry
from paddleprune.settings import Criterion


def last_first(parameter: str, filters: Array) -> Array:
    """The last filters matter least."""
    assert parameter.endswith("weight")
    return -np.arange(len(filters), dtype=np.float64)


def total(layer: nn.Layer) -> float:
    return float(np.abs(outputs(layer)).sum())


def test_a_function_is_a_criterion_known_by_its_name(layer: nn.Layer, tmp_path: Path) -> None:
    graph, file = paddleprune.trace(layer, SPEC), tmp_path / "table.json"
    table = paddleprune.analyze_layer(graph, total, ratios=[0.5], criterion=last_first, save_file=file)
    assert table.identity.criterion == "last_first"
    with pytest.raises(
        ConfigError, match="'last_first', which isn't built in; give the function: criterion=last_first"
    ):
        paddleprune.plan(graph, table)
    with pytest.raises(ConfigError, match="measured with the criterion 'last_first', not 'l1'"):
        paddleprune.plan(graph, table, criterion="l1")
    assert paddleprune.plan(graph, table, criterion=last_first, eval_metric_loss=0.99).plan.criterion == "last_first"
    plan = paddleprune.plan(graph, {"mix": 0.5}, criterion=last_first)
    assert plan.plan.groups["mix"].keep == tuple(range(10))
    with graph.masked({"mix": 0.5}, criterion=last_first):
        masked = outputs(layer)
    plan.save(tmp_path / "plan.json")
    weights = contents(layer)["mix.weight"]
    paddleprune.shrink(layer, paddleprune.load_plan(graph, tmp_path / "plan.json"))
    np.testing.assert_array_equal(layer.mix.weight.numpy(), weights[:, :10])
    np.testing.assert_allclose(outputs(layer), masked, atol=1e-5)


def test_a_function_by_its_place_decides_on_the_command_line_too(
    data: Path, work: Path, dense: Path, tmp_path: Path
) -> None:
    (tmp_path / "scores.py").write_text("def backwards(parameter, filters):\n    return -abs(filters).sum(1)\n")
    words = (
        "--data",
        data,
        "--flops",
        0.7,
        "--samples",
        16,
        "--criterion",
        "scores:backwards",
        "--only",
        "type:Conv2D",
    )
    run("prune", dense, *words, "--save-dir", tmp_path / "cut", cwd=tmp_path)
    assert json.loads((tmp_path / "cut" / "plan.json").read_text())["criterion"] == "backwards"


@pytest.mark.slow
def test_a_function_decides_from_python_too(data: Path, dense: Path, tmp_path: Path) -> None:
    result = paddleprune.prune(
        dense, eval_dataset=data, flops=0.7, samples=16, scorer=last_first, save_dir=tmp_path / "own"
    )
    assert result.plan.criterion == "last_first"
    group = next(iter(result.plan.groups.values()))
    assert group.keep == tuple(range(len(group.keep))), "the last ones have gone"


def test_labelled_samples_are_never_those_of_the_evaluation(data: Path, dense: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="taylor needs labelled samples that evaluation doesn't use: give train_data"):
        paddleprune.analyze(
            dense, eval_dataset={"data_dir": data / "val"}, save_file=tmp_path / "no.json", criterion="taylor"
        )
    assert not (tmp_path / "no.json").exists()
    registry = Registry.discover()
    loaded = open_model(registry, dense)
    drawn = open_labelled(registry, loaded, "taylor", None, data)
    (_, labels), *_ = batches = labelled_batches(drawn, 7, 6)
    assert len(drawn) == 3 * 16, "the training split"
    assert [len(some) for _, some in batches] == [6, 1]
    assert sorted(labels) == [0, 0, 1, 1, 2, 2], "evenly from the classes"


@pytest.mark.slow
def test_a_table_keeps_the_scores_that_ranked_its_units(data: Path, dense: Path, tmp_path: Path) -> None:
    evaluation = {"data_dir": data / "val"}
    words: dict[str, Any] = {"criterion": "taylor", "ratios": [0.5], "exclude": ["features.[2-9]*", "features.1[0-9]*"]}
    tables = [
        paddleprune.analyze(dense, eval_dataset=some, train_dataset=training, save_file=tmp_path / f"{i}.json", **words)
        for i, (some, training) in enumerate([(data, None), (evaluation, data), (data, {"data_dir": data / "val"})])
    ]
    assert tables[0].scores == tables[1].scores != tables[2].scores
    again = paddleprune.analyze(dense, eval_dataset=data, save_file=tmp_path / "0.json", **words)
    assert again == tables[0]


def l1(parameter: str, filters: Array) -> Array:
    return filters.sum(1)


@pytest.mark.parametrize(
    ("criterion", "words"),
    [
        (lambda parameter, filters: filters.sum(1), "has no name by which a table could know it; define it with def"),
        (partial(last_first), "has no name"),
        (l1, "has no name"),
        ("l3", "unknown criterion 'l3'.*, or give a function"),
    ],
)
def test_a_criterion_needs_a_name(layer: nn.Layer, criterion: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        paddleprune.plan(paddleprune.trace(layer, SPEC), {"mix": 0.5}, criterion=criterion)


@pytest.mark.parametrize("answer", [np.ones(3), np.nan, None, "high"])
def test_a_criterion_gives_a_number_for_each_filter(layer: nn.Layer, answer: Any) -> None:
    def strange(parameter: str, filters: Array) -> Any:
        return answer

    with pytest.raises(
        ConfigError, match=r"criterion strange gave .* for a\.0\.weight; it must give 16 finite numbers"
    ):
        paddleprune.plan(paddleprune.trace(layer, SPEC), {"mix": 0.5}, criterion=strange)


def test_groups_that_stay_whole(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    table = paddleprune.analyze_layer(graph, total, ratios=[0.5], exclude=["a.*", "head"])
    assert list(table.groups) == ["b", "mix"]
    whole = paddleprune.analyze_layer(graph, total, ratios=[0.5])
    for what in (whole, {"a.0": 0.5, "b": 0.5, "mix": 0.5}):
        loss = {"eval_metric_loss": 0.99} if what is whole else {}
        assert "mix" not in paddleprune.plan(graph, what, exclude="m?x", **loss).plan.groups
    for use in (
        lambda: paddleprune.plan(graph, {"mix": 0.5}, exclude="mixer*"),
        lambda: paddleprune.analyze_layer(graph, total, exclude=["mixer*"]),
    ):
        with pytest.raises(ConfigError, match=r"no group is called 'mixer\*'; near it are mix"):
            use()


def test_excluded_on_the_command_line(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    done = run("analyze", dense, "--data", data, "--save-file", tmp_path / "t.json", "--exclude", "featurs.9*", code=2)
    assert "no group is called 'featurs.9*'; near it are features." in done.stderr
    assert not (tmp_path / "t.json").exists()
    words: dict[str, Any] = {
        "train_dataset": data,
        "eval_dataset": data,
        "pretrain_weights": dense,
        "sensitivities_file": table,
        "eval_metric_loss": 0.9,
        "num_epochs": 1,
        "train_batch_size": 16,
    }
    with pytest.raises(ConfigError, match="class_weights has 2 numbers, but there are 3 classes"):
        paddleprune.train("classification", save_dir=tmp_path / "no", loss={"class_weights": [1, 2]}, **words)
    assert not (tmp_path / "no").exists()
    words["loss"] = {"class_weights": "balanced"}
    result = paddleprune.train("classification", save_dir=tmp_path / "pruned", exclude="features.1*", **words)
    plan = (result.best_model / "plan.json").read_text()
    assert '"features.2' in plan
    assert '"features.1' not in plan.partition('"attributes"')[0]


@pytest.mark.parametrize(
    "name", ["visualize", "compare", "evaluate", "analyze", "predict", "explain", "quantize", "train"]
)
def test_a_layer_where_a_checkpoint_is_wanted(layer: nn.Layer, tmp_path: Path, name: str) -> None:
    calls = {
        "visualize": lambda: paddleprune.visualize(layer, model=layer),
        "compare": lambda: paddleprune.compare([layer], eval_dataset=tmp_path),
        "evaluate": lambda: paddleprune.evaluate(layer, eval_dataset=tmp_path),
        "analyze": lambda: paddleprune.analyze(layer, eval_dataset=tmp_path, save_file=tmp_path / "t.json"),
        "predict": lambda: paddleprune.predict(layer, tmp_path),
        "explain": lambda: paddleprune.explain(layer),
        "quantize": lambda: paddleprune.quantize(layer, eval_dataset=tmp_path, save_dir=tmp_path),
        "train": lambda: paddleprune.train(
            "classification", train_dataset=tmp_path, eval_dataset=tmp_path, save_dir=tmp_path, pretrain_weights=layer
        ),
    }
    with pytest.raises(ConfigError, match="is a TwoInputs; give a path; for a layer of your own there are trace"):
        calls[name]()
    if name == "compare":
        with pytest.raises(ConfigError, match="takes a list of checkpoint folders, not a TwoInputs"):
            paddleprune.compare(layer, eval_dataset=tmp_path)


def test_criteria_by_name_still_agree_with_their_functions(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)

    def magnitude(parameter: str, filters: Array) -> Array:
        return np.abs(filters).mean(axis=1)

    built_in: Criterion = "l1"
    ratios = {"a.0": 0.4, "b": 0.4, "mix": 0.4}
    plans = [paddleprune.plan(graph, ratios, criterion=criterion).plan for criterion in (built_in, magnitude)]
    assert plans[0].groups == plans[1].groups
