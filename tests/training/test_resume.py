"""A run that is interrupted and resumed ends as one that was not, bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from paddle import nn

from paddleprune.errors import CheckpointError
from paddleprune.pruning.plan import Plan
from paddleprune.training import TrainResult, fit, read_checkpoint, seed_everything
from paddleprune.training.checkpoint import read_state

Child = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def whole(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A run that nothing interrupted."""
    result: TrainResult = tiny.train(tmp_path_factory.mktemp("whole"))
    return result


def heeds_interrupts() -> None:
    """As at a terminal; what a script runs in the background inherits that they are ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def child(tiny: ModuleType) -> Child:
    def start(save_dir: Path, resume: str = "", seconds: float = 0, limit: int = 0) -> subprocess.Popen[str]:
        command = [sys.executable, str(tiny.__file__), str(save_dir), resume, str(seconds), str(limit)]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": os.environ}
        return subprocess.Popen(command, preexec_fn=heeds_interrupts, **pipes)

    return start


def assert_same(one: Path, other: Path) -> None:
    a, b = read_checkpoint(one), read_checkpoint(other)
    assert a.weights.keys() == b.weights.keys()
    for name, array in a.weights.items():
        np.testing.assert_array_equal(array, b.weights[name], err_msg=name)
    assert (a.info.metrics, a.info.completed_epochs) == (b.info.metrics, b.info.completed_epochs)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists()


def test_two_runs_with_one_seed_are_the_same(tiny: ModuleType, whole: TrainResult, tmp_path: Path) -> None:
    assert_same(tiny.train(tmp_path).last_model, whole.last_model)


def test_another_seed_is_another_run(tiny: ModuleType, whole: TrainResult, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        assert_same(tiny.train(tmp_path, seed=1).last_model, whole.last_model)


@pytest.mark.parametrize("name", ["epoch_2", ""])
def test_resumed_in_the_same_process(
    tiny: ModuleType, whole: TrainResult, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.train(tmp_path, num_epochs=2)
    result = tiny.train(tmp_path, resume=tmp_path / name)
    assert "going on after epoch 2" in capsys.readouterr().err
    assert_same(result.last_model, whole.last_model)
    assert_same(result.best_model, whole.best_model)
    ours, theirs = read_state(result.last_model)[1], read_state(whole.last_model)[1]
    for key, array in ours.items():
        np.testing.assert_array_equal(array, theirs[key])
    assert [(r.epoch, r.loss) for r in result.history] == [(r.epoch, r.loss) for r in whole.history]


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_process_resumes(child: Child, whole: TrainResult, tmp_path: Path, stop: signal.Signals) -> None:
    process = child(tmp_path, seconds=0.01)
    wait_for(tmp_path / "epoch_2")
    process.send_signal(stop)
    said = process.communicate(timeout=60)[1]
    assert process.returncode != 0
    if stop is signal.SIGINT:
        assert f"interrupted; the same command goes on after {tmp_path}/epoch_" in said
    assert not (tmp_path / "epoch_4").exists()
    resumed = child(tmp_path, resume=str(tmp_path))
    assert resumed.wait(timeout=60) == 0, resumed.communicate()
    assert_same(tmp_path / "epoch_4", whole.last_model)
    assert_same(tmp_path / "best_model", whole.best_model)
    assert not [*tmp_path.glob(".*.new"), *tmp_path.glob(".*.previous")]


def test_a_full_disk_loses_nothing(tiny: ModuleType, child: Child, whole: TrainResult, tmp_path: Path) -> None:
    tiny.train(tmp_path, num_epochs=1)
    names = sorted(path.name for path in tmp_path.rglob("*"))
    process = child(tmp_path, resume=str(tmp_path), limit=1500)
    said = process.communicate(timeout=60)[0].strip()
    assert process.returncode == 2
    assert said.startswith(f"cannot save {tmp_path}")
    assert "untouched" in said
    assert "\n" not in said
    assert sorted(path.name for path in tmp_path.rglob("*")) == names
    assert read_checkpoint(tmp_path / "best_model").info.completed_epochs == 1
    assert_same(tiny.train(tmp_path, resume=tmp_path).last_model, whole.last_model)


def test_resuming_an_earlier_epoch_elsewhere_takes_its_best_along(
    tiny: ModuleType, whole: TrainResult, tmp_path: Path
) -> None:
    result = tiny.train(tmp_path, resume=whole.last_model.parent / "epoch_2")
    assert_same(result.last_model, whole.last_model)
    assert_same(result.best_model, whole.best_model)


def test_a_pruned_run_resumes_on_a_dense_layer(tiny: ModuleType, tmp_path: Path) -> None:
    def train(name: str, start: tuple[nn.Layer, Plan | None], epochs: int, resume: Path | None = None) -> TrainResult:
        chosen, data = tiny.settings(num_epochs=epochs), (tiny.Stripes(), tiny.Stripes(12))
        save_dir, info = tmp_path / name, tiny.info()
        return fit(start[0], tiny.loss, tiny.Accuracy(), *data, chosen, save_dir, info, start[1], resume)

    seed_everything(0, 0)
    uninterrupted = train("whole", tiny.pruned(), 3)
    seed_everything(0, 0)
    train("parts", tiny.pruned(), 1)
    resumed = train("parts", (tiny.net(), None), 3, tmp_path / "parts")
    assert_same(resumed.last_model, uninterrupted.last_model)
    assert read_checkpoint(resumed.last_model).plan == read_checkpoint(uninterrupted.last_model).plan is not None


def test_nothing_left_to_train(
    tiny: ModuleType, whole: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tiny.train(tmp_path, resume=whole.last_model)
    assert f"nothing left to train in {tmp_path} after epoch 4" in capsys.readouterr().err
    assert result.last_model == whole.last_model
    assert_same(result.best_model, whole.best_model)


def test_a_damaged_optimizer_state(tiny: ModuleType, tmp_path: Path) -> None:
    tiny.train(tmp_path, num_epochs=1)
    path = tmp_path / "epoch_1" / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match=r"optimizer.safetensors is damaged or truncated"):
        tiny.train(tmp_path, resume=tmp_path)
