"""The sweep: exact, whole, and never losing what it measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path

import numpy as np
import pytest
import small

from paddleprune.errors import ConfigError, TableError
from paddleprune.graph import masked
from paddleprune.interfaces import Dataset, Sample
from paddleprune.measure.drawn import LARGE, drawn
from paddleprune.measure.evaluation import Batches, eager_forward, evaluate
from paddleprune.reports import draw_heatmap
from paddleprune.sensitivity import Identity, Question, SensitivityTable, rank, sweep
from paddleprune.sensitivity.measuring.measurer import Known, Scores
from paddleprune.sensitivity.measuring.scores import Score


def test_the_table_is_that_of_masked_evaluation() -> None:
    layer, graph, data = small.parts()
    batches, metric = Batches(data, 16), small.Accuracy()
    table = small.swept(layer, graph, metric, batches, ratios=small.RATIOS)
    assert table.baseline == 1.0
    assert list(table.groups) == [group.name for group in graph.prunable]
    rankings = rank(layer, graph, "l1")
    for group in graph.prunable:
        for ratio in small.RATIOS:
            gone = [group.units[i] for i in rankings[group.name][: group.count(ratio)]]
            with masked(layer, graph, gone):
                expected = evaluate(eager_forward(layer), metric, batches)["accuracy"]
            point = table.point(group.name, ratio)
            assert point is not None
            assert point.metric == pytest.approx(expected)
            assert point.loss == pytest.approx(1 - expected)
    assert any(point.loss > 0 for points in table.groups.values() for point in points)


def test_images_are_decoded_once() -> None:
    layer, graph, data = small.parts()
    small.swept(layer, graph, small.Accuracy(), Batches(data, 16), ratios=(0.5,))
    assert data.decoded == len(data)


def test_samples_beyond_the_memory_budget_are_decoded_again() -> None:
    _, _, data = small.parts()
    batches = Batches(data, 16, memory=data.images[0].nbytes * 21)
    first, second = ([inputs[0] for inputs, _ in batches] for _ in range(2))
    assert data.decoded == 40 + 20
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(second))
    np.testing.assert_array_equal(np.concatenate(first), data.images)


def test_what_the_data_is_does_not_depend_on_the_batches() -> None:
    _, _, data = small.parts()
    assert Batches(data, 16).digest() == Batches(data, 7, memory=0).digest()


class Many(Dataset):
    """More samples than are decoded to tell what they are."""

    labels = ("a",)

    def __init__(self, name: str = "", other: int = -1) -> None:
        self.name, self.other, self.decoded = name, other, list[int]()

    def __len__(self) -> int:
        return LARGE + 1

    def __getitem__(self, index: int) -> Sample:
        self.decoded.append(index)
        return (np.float32([index]),), int(index == self.other)

    def listing(self) -> str:
        return self.name


def test_what_large_data_is_comes_from_its_list_and_some_of_its_samples() -> None:
    data = Many("a")
    said = Batches(data, 16).digest()
    assert said.startswith("sample:")
    assert (len(data.decoded), min(data.decoded), max(data.decoded)) == (500, 0, LARGE)
    assert Batches(Many("a"), 7).digest() == said
    assert len({said, Batches(Many("b"), 16).digest(), Batches(Many("a", other=LARGE), 16).digest()}) == 3


def test_drawn_samples_are_always_the_same_ones() -> None:
    data = Many()
    some, again, more = drawn(data, 300), drawn(Many(), 300), drawn(data, 400)
    values = [int(some[i][0][0][0]) for i in range(len(some))]
    assert values == [int(again[i][0][0][0]) for i in range(300)] == [int(more[i][0][0][0]) for i in range(300)]
    assert len(set(values)) == 300
    assert max(values) > 0.9 * LARGE
    assert drawn(data, None) is drawn(data, LARGE + 1) is data
    assert not Batches(some, 16).digest().startswith("sample:")


def test_killed_and_continued_gives_the_same_table(tmp_path: Path) -> None:
    whole = small.analyze(tmp_path / "whole.json")
    file, killed = tmp_path / "killed.json", 0
    for _ in range(20):
        process = subprocess.Popen([sys.executable, small.__file__, str(file)], stderr=subprocess.DEVNULL)
        measured = _points(file)
        while process.poll() is None and _points(file) < measured + 2:
            time.sleep(0.002)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
        assert _points(file) >= measured
        if process.returncode == 0:
            break
    assert killed >= 1
    small.analyze(file)
    assert SensitivityTable.load(file) == whole == SensitivityTable.load(tmp_path / "whole.json")


def _points(file: Path) -> int:
    return sum(len(points) for points in SensitivityTable.load(file).groups.values()) if file.exists() else 0


def test_a_finished_table_measures_nothing_again(tmp_path: Path) -> None:
    table = small.analyze(tmp_path / "table.json")
    before = (tmp_path / "table.json").stat().st_mtime_ns
    assert small.analyze(tmp_path / "table.json") == table
    assert (tmp_path / "table.json").stat().st_mtime_ns == before


def test_a_table_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    small.analyze(file)
    with pytest.raises(TableError, match=r"table\.json was measured with the criterion l1, not fpgm"):
        small.analyze(file, criterion="fpgm")
    layer, graph, data = small.parts()
    layer.head.bias.set_value(layer.head.bias + 1)
    with pytest.raises(TableError, match="another model"):
        small.swept(layer, graph, small.Accuracy(), Batches(data, 16), save_file=file)
    layer, graph, data = small.parts()
    data.images = data.images[:-1]
    with pytest.raises(TableError, match="40 samples, not 39"):
        small.swept(layer, graph, small.Accuracy(), Batches(data, 16), save_file=file)
    layer, graph, data = small.parts()
    data.images[0, 0, 0, 0] += 1e-3
    with pytest.raises(TableError, match="other data"):
        small.swept(layer, graph, small.Accuracy(), Batches(data, 16), save_file=file)


def test_a_baseline_of_zero_is_an_error() -> None:
    layer, graph, data = small.parts()
    data.answers = data.answers * 0 + 9
    with pytest.raises(TableError, match="the dense model's accuracy is 0"):
        small.swept(layer, graph, small.Accuracy(), Batches(data, 16))


@pytest.mark.parametrize("ratios", [(0.0,), (1.0,), (-0.1, 0.5), ()])
def test_ratios_lie_between_0_and_1(ratios: tuple[float, ...]) -> None:
    layer, graph, data = small.parts()
    with pytest.raises(ConfigError, match="between 0 and 1"):
        small.swept(layer, graph, small.Accuracy(), Batches(data, 16), ratios=ratios)


def test_a_truncated_table_is_named(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    small.analyze(file)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(TableError, match=r"table\.json is not a readable sensitivity table"):
        SensitivityTable.load(file)


class Error(small.Accuracy):
    """Share of wrong answers: lower is better."""

    primary, higher_is_better = "error", False

    def accumulate(self) -> list[float]:
        return [1.1 - self.right / self.total]

    def name(self) -> list[str]:
        return ["error"]


def test_a_metric_that_should_fall() -> None:
    layer, graph, data = small.parts()
    table = small.swept(layer, graph, Error(), Batches(data, 16), ratios=(0.75,))
    losses = [points[0].loss for points in table.groups.values()]
    assert max(losses) > 0
    assert all(points[0].loss == pytest.approx((points[0].metric - 0.1) / 0.1) for points in table.groups.values())


class Broken(small.Accuracy):
    """Not a number where many answers are wrong."""

    def accumulate(self) -> list[float]:
        return [self.right / self.total if self.right > 0.5 * self.total else float("nan")]


def test_a_metric_that_is_no_number_is_an_infinite_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layer, graph, data = small.parts()
    file, batches = tmp_path / "table.json", Batches(data, 16)
    for question in (None, Question((0.05,))):
        table = small.swept(layer, graph, Broken(), batches, ratios=small.RATIOS, save_file=file, question=question)
    assert "accuracy is nan with 0.75 of stem.0 gone, which counts as an infinite loss" in capsys.readouterr().err
    assert SensitivityTable.load(file) == table
    lost = [point for points in table.groups.values() for point in points if point.metric is None]
    assert lost
    assert all(point.loss == float("inf") and point.error is None for point in lost)
    assert table.ratios_for(0.05) == {"stem.0": 0.5}  # nothing is interpolated towards the infinite loss
    assert table.loss_at("stem.0", 0.75) == float("inf")
    assert table.loss_at("stem.0", 0) == 0
    assert json.loads(file.read_text())["groups"]["stem.0"][-1]["loss"] == "Infinity"
    losses = [[point.loss for point in points] for points in table.groups.values()]
    draw_heatmap(list(table.groups), small.RATIOS, losses, tmp_path / "heat.png", title="infinite")


class Named:
    """A group of ten units, as the sweep sees it."""

    def __init__(self, name: str) -> None:
        self.name, self.size = name, 10

    def count(self, ratio: float) -> int:
        return int(ratio * 10 + 0.5)


class Straight:
    """A score of 10 that falls by each ratio, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float]] = []

    def baseline(self) -> float:
        self.asked.append(("", 0.0))
        return 10.0

    def measure(self, work: Mapping[str, Known], baseline: float) -> Generator[Scores, None, None]:
        assert baseline == 10.0
        for name, known in work.items():
            for ratio in (ratio for ratio, score in known.items() if score is None):
                self.asked.append((name, ratio))
                yield {(name, ratio): Score(10.0 - ratio, ratio / 10)}


def test_anything_that_can_be_measured_is_swept(tmp_path: Path) -> None:
    measurer = Straight()
    identity = Identity(model="m", data="", samples=0, metric="score", higher_is_better=True, criterion="l1")
    file, groups = tmp_path / "table.json", [Named("a"), Named("b")]
    first = sweep(groups[:1], measurer, identity, ratios=(0.01, 0.5, 0.52), save_file=file)
    assert measurer.asked == [("", 0.0), ("a", 0.5)]  # 0.01 removes nothing, 0.52 as much as 0.5
    assert [p.loss for p in first.groups["a"]] == pytest.approx([0.0, 0.05, 0.05])
    assert first.loss_at("a", 0.5) == pytest.approx(0.05)
    both = sweep(groups, measurer, identity, ratios=(0.5, 0.52), save_file=file)
    assert measurer.asked == [("", 0.0), ("a", 0.5), ("b", 0.5)]
    assert list(both.groups) == ["a", "b"]
    with pytest.raises(TableError, match="was measured with the engine native, not paddleslim"):
        sweep(groups, measurer, identity.model_copy(update={"engine": "paddleslim"}), save_file=file)
    with pytest.raises(TableError, match="another model"):
        sweep(groups, measurer, identity.model_copy(update={"model": "other"}), save_file=file)
    assert len(measurer.asked) == 3
