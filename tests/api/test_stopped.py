"""Ctrl-C, two commands at once and bad evaluation data, by the command line."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
from command import SHORT, SMALL, run
from rich.console import Console

import paddleprune
from paddleprune import console
from paddleprune.errors import ConfigError, SaveError
from paddleprune.interfaces import Array, Metric
from paddleprune.locks import locked
from paddleprune.sensitivity import SensitivityTable
from paddleprune_classification.config import ClassificationMetric
from paddleprune_classification.metrics import TopK
from paddleprune_detection.config import DetectionMetricConfig
from paddleprune_detection.metrics import DetectionMetric
from paddleprune_detection.results import Result
from paddleprune_segmentation.metrics import Overlap


def heeds_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("stop", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_stopped_command_says_what_is_there_and_how_to_go_on(
    data: Path, dense: Path, table: Path, tmp_path: Path, stop: signal.Signals, code: int
) -> None:
    file = tmp_path / "table.json"
    words = ("analyze", dense, "--data", data, "--save-file", file, "--ratios", "0.3,0.6", "--batch-size", "4")
    words += ("--exclude", "features.[0-9].*")
    command = [sys.executable, "-m", "paddleprune", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heeds_interrupts) as process:
        deadline = time.monotonic() + 180
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.5)
        process.send_signal(stop)
        said = process.communicate(timeout=180)[1]
    assert process.returncode == code
    last = said.strip().splitlines()[-1]
    assert last.startswith("interrupted; ")
    assert f"entries are in {file}" in last
    assert last.endswith("the same command goes on")
    assert said.count("interrupted") == 1
    run(*words)
    known = [name for name in SensitivityTable.load(table).groups if not fnmatch(name, "features.[0-9].*")]
    assert list(SensitivityTable.load(file).groups) == known
    assert all(SensitivityTable.load(file).groups.values())
    assert [path.name for path in tmp_path.iterdir()] == ["table.json"]


def test_a_second_command_is_refused_in_one_line(data: Path, dense: Path, tmp_path: Path) -> None:
    with locked(tmp_path / ".lock", tmp_path, ""), locked(tmp_path / ".t.json.lock", tmp_path, ""):
        train = ("train", "classification", "--data", data, "--pretrain-weights", dense, *SHORT, "--save-dir", tmp_path)
        analyze = ("analyze", dense, "--data", data, "--save-file", tmp_path / "t.json")
        for words, target in ((train, tmp_path), (analyze, tmp_path / "t.json")):
            (line,) = run(*words, code=2).stderr.strip().splitlines()
            assert line.startswith(f"error: another command is writing {target} (process ")
    assert not list(tmp_path.iterdir())


def test_a_broken_evaluation_image_costs_no_epoch(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    broken = sorted((tmp_path / "data" / "val").glob("*/*.png"))[-1]
    broken.write_bytes(broken.read_bytes()[:60])
    words = ("--data", tmp_path / "data", "--model", "mobilenet_v2", *SMALL, "--save-dir", tmp_path / "out")
    done = run("train", "classification", *words, "--train-batch-size", 16, "--eval-batch-size", 4, code=2)
    assert broken.name in done.stderr
    assert "epoch 1" not in done.stderr
    assert not (tmp_path / "out" / "best_model").exists()


def test_targets_and_ratios_are_checked_before_anything_is_measured(dense: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a share of a group's units, between 0 and 1, not 1\.5; 1\.5% is 0\.015"):
        paddleprune.analyze(dense, eval_dataset=tmp_path / "nowhere", save_file=tmp_path / "t", ratios=(0.5, 1.5))
    with pytest.raises(SaveError, match="it is a folder"):
        paddleprune.analyze(dense, eval_dataset=tmp_path / "nowhere", save_file=tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_said_goes_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=80)
    monkeypatch.setattr(console, "console", lambda: terminal)
    with suppress(KeyboardInterrupt), console.progress("analyze", 4) as bar:
        bar.advance(1)
        console.say("a line")
        raise KeyboardInterrupt
    console.say("interrupted")
    shown = out.getvalue()
    assert shown.index("a line") < shown.rindex("1/4") < shown.index("interrupted")


def objects() -> DetectionMetric:
    metric = DetectionMetric(lambda outputs: [], ("a", "b"), DetectionMetricConfig())
    generator = np.random.default_rng(0)
    for count in (2, 0, 3):
        boxes: Array = np.sort(generator.random((count, 4)) * 50, axis=1)
        classes = generator.integers(0, 2, count)
        truth = (boxes, classes, np.zeros(count, bool))
        metric.results.append(Result(boxes, generator.random(count), classes, *truth))
    return metric


def answers() -> TopK:
    metric = TopK(ClassificationMetric(top_k=2), ("a", "b", "c"))
    metric.update((np.eye(3)[[0, 1, 1, 2]],), np.array([0, 1, 2, 0]))
    return metric


def pixels() -> Overlap:
    metric = Overlap(("a", "b"))
    metric.update((np.array([[[0, 1], [1, 1]]]),), np.array([[[0, 1], [0, 255]]]))
    return metric


@pytest.mark.parametrize("made", [objects, answers, pixels])
def test_the_metrics_can_be_kept(made: type[Metric]) -> None:
    metric, other = made(), made()
    state = metric.state()
    assert state is not None
    other.reset()
    other.restore({name: array.copy() for name, array in state.items()})
    assert other.accumulate() == metric.accumulate()
