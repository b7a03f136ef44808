"""A task whose inputs aren't images, as `new-plugin` writes it, does the whole job."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import paddle
import pytest
from paddle import nn

import paddleprune
from paddleprune.api.demo import DemoResult, _verdict
from paddleprune.errors import DataError, PluginError
from paddleprune.graph import build_graph
from paddleprune.pruning.plan import Counts, Plan
from paddleprune.registry import Registry
from paddleprune.reports import Comparison
from paddleprune.reports.rows import ComparisonRow, MetricValue
from paddleprune.specs import FamilyOptions
from paddleprune.testing import FamilyConformance


class WaveNet(FamilyConformance):
    task, family = "tones", "wave_net"


def command(*words: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "paddleprune", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=True)


def test_the_whole_job(tmp_path: Path) -> None:
    """Trained by its folder, analyzed and predicted with; what the command line prints can be piped."""
    Registry.discover().demo("tones", tmp_path)
    few = {"task": "tones", "train_dataset": tmp_path, "eval_dataset": tmp_path, "train_batch_size": 8}
    dense = paddleprune.train(**few, model="wave_net", num_epochs=4, learning_rate=0.05, save_dir=tmp_path / "dense")
    table = tmp_path / "table.json"
    done = command("analyze", dense.best_model, "--data", tmp_path, "--save-file", table, "--ratios", "0.25,0.5")
    assert "ReduceMean" in done.stderr  # Paddle's C++, by printf
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["table", "most sensitive groups"]
    made = {"pretrain_weights": dense.best_model, "sensitivities_file": table, "eval_metric_loss": 0.5}
    pruned = paddleprune.train(**few, **made, num_epochs=1, save_dir=tmp_path / "pruned")
    done = command("predict", pruned.best_model, tmp_path / "eval", "--save-dir", tmp_path / "heard")
    assert {json.loads(line)["note"] for line in done.stdout.splitlines()} <= {"low", "high"}
    assert [file.name for file in (tmp_path / "heard").iterdir()] == ["predictions.json"]
    (tmp_path / "eval" / "low_0.npy").write_bytes(b"noise")
    with pytest.raises(PluginError, match=r"predictor of the task 'tones' failed at .*low_0.npy: ValueError: "):
        paddleprune.predict(pruned.best_model, tmp_path / "eval" / "low_0.npy")
    with pytest.raises(DataError, match=r"sample \d+ of Waves can't be read: ValueError: "):
        paddleprune.evaluate(pruned.best_model, eval_dataset=tmp_path)
    with pytest.raises(DataError, match=r"has 32 samples, fewer than train_batch_size 99; add samples or"):
        paddleprune.train(
            **{**few, "train_batch_size": 99}, model="wave_net", num_epochs=1, save_dir=tmp_path / "other"
        )


def test_a_family_without_images_has_no_options_of_images() -> None:
    options = Registry.discover().family("tones", "wave_net").options
    assert set(options.model_fields) == {"num_classes", "width"}
    with pytest.raises(PluginError, match=r"FamilyOptions has no input_shapes\(\)"):
        FamilyOptions().input_shapes()


eight = partial(paddle.reshape, shape=[-1, 8])
"""Eight channels, whatever there are: what no cut can tell."""


class Softmaxed(nn.Layer):
    """Its first convolution's channels meet in a softmax; what follows takes eight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv1D(1, 8, 3), nn.Conv1D(8, 8, 1), nn.Linear(8, 2)

    def forward(self, x: Any) -> Any:
        x = self.second(nn.functional.softmax(self.first(x), 1)).mean(2)
        return self.head(eight(x))


def test_a_failed_check_names_groups_and_reasons() -> None:
    paddle.seed(0)
    layer, suite, registry = Softmaxed().eval(), WaveNet(), Registry.discover()
    graph = build_graph(layer, [(1, 1, 64)])
    options = registry.options("tones", "wave_net", {})
    with pytest.raises(AssertionError, match=r"can't be removed.*\n  first: .*softmax(.|\n)*expect_protected"):
        suite.test_every_filter_can_be_removed(registry, options, graph)
    with pytest.raises(AssertionError, match=r"runs at one width.*\n  second: (.|\n)*from the tensors' shapes"):
        suite.test_no_width_is_hard_coded(layer, graph)


def _judged(left: int, *metrics: float, error: float | None = None) -> DemoResult:
    """The verdict on a model of which so many of 100 parameters are left; metrics of dense, control and pruned."""
    rows = tuple(ComparisonRow.model_construct(metric=MetricValue(name="right", value=value)) for value in metrics)
    whole, rest = Counts(parameters=100, flops=100), Counts(parameters=left, flops=left)
    plan = Plan(eval_metric_loss=0.05, criterion="l1", groups={}, before=whole, after=rest)
    return _verdict(Comparison.model_construct(rows=rows), error, plan, higher_is_better=True)


@pytest.mark.parametrize(("left", "passed"), [(98, False), (89, True)])
def test_a_demo_that_cuts_next_to_nothing_fails(left: int, passed: bool) -> None:
    result = _judged(left, 1.0, 1.0, 1.0)
    assert result.passed is passed
    assert ("only 2.0% of the FLOPs or parameters are gone" in result.summary) is not passed


@pytest.mark.parametrize(
    ("pruned", "error", "passed"),
    [(0.891, None, True), (0.885, None, False), (0.885, 0.002, False), (0.885, 0.006, True), (0.95, 0.5, True)],
)
def test_a_demo_fails_that_is_surely_more_than_a_point_behind(pruned: float, error: float | None, passed: bool) -> None:
    result = _judged(30, 0.8, 0.9, pruned, error=error)
    assert result.passed is passed
    said = f"{abs(0.9 - pruned):.4f} ± {error or 0:.4f} {'behind' if pruned < 0.9 else 'ahead'}"
    assert f"pruned {pruned:.4f}, dense control of equal epochs 0.9000, {said}" in result.summary
