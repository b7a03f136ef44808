"""A training in a process of its own gives what the same call gives here, and outlives nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paddleprune
from paddleprune.api.background import BackgroundTraining
from paddleprune.errors import WorkerError
from paddleprune.machine.cpu import cpu_threads
from paddleprune.registry import Registry
from paddleprune.training import read_checkpoint

LONG = 1000
"""Epochs that no test waits for."""
STARTED = """
import sys, time
from paddleprune.api.background import BackgroundTraining
from pathlib import Path
log, start, data, save_dir = map(Path, sys.argv[1:])
call = dict(pretrain_weights=start, train_dataset=data, eval_dataset=data, save_dir=save_dir, train_batch_size=16)
with BackgroundTraining(log, task="classification", num_epochs=1000, **call) as background:
    print(background.process_id, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def call(data: Path, dense: Path, tmp_path: Path) -> dict[str, Any]:
    """One short training that goes on from the dense model."""
    config = Registry.discover().task("classification").dataset.from_directory(data, "eval")
    what = {"task": "classification", "train_dataset": data, "eval_dataset": config, "pretrain_weights": dense}
    return {**what, "save_dir": tmp_path / "beside", "num_epochs": 1, "train_batch_size": 16, "learning_rate": 0.05}


def wait_for(done: Any) -> None:
    deadline = time.monotonic() + 60
    while not done() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert done()


def alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process_id}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_trains_as_the_same_call_here(
    call: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with BackgroundTraining(tmp_path / "background.log", **call) as background:
        here = paddleprune.train(**{**call, "save_dir": tmp_path / "here"})
        capsys.readouterr()
        background.wait()
    there = read_checkpoint(tmp_path / "beside" / "epoch_1").weights
    for name, array in read_checkpoint(here.last_model).weights.items():
        np.testing.assert_array_equal(there[name], array, err_msg=name)
    log = (tmp_path / "background.log").read_text()
    assert "epoch 1/1 evaluated" in log
    assert capsys.readouterr().err in log


def test_what_it_says_is_said_while_one_waits(
    call: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with BackgroundTraining(tmp_path / "background.log", **call) as background:
        background.wait()
    assert "epoch 1/1 evaluated" in capsys.readouterr().err


def test_a_training_that_fails_is_one_line(call: dict[str, Any], tmp_path: Path) -> None:
    call["train_dataset"] = tmp_path / "lost"
    with (
        pytest.raises(WorkerError, match=r"exit code 2: error: .*lost.*background\.log has all of it") as error,
        BackgroundTraining(tmp_path / "background.log", **call) as background,
    ):
        background.wait()
    assert "\n" not in str(error.value)


def test_it_ends_with_the_block(call: dict[str, Any], tmp_path: Path) -> None:
    background = BackgroundTraining(tmp_path / "background.log", **{**call, "num_epochs": LONG})
    threads = cpu_threads()
    with suppress(KeyboardInterrupt), background:
        assert cpu_threads() == max(1, threads - 1)
        wait_for((tmp_path / "beside" / "epoch_1").exists)
        raise KeyboardInterrupt
    assert not alive(background.process_id)
    assert cpu_threads() == threads


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_it_ends_with_its_parent_even_if_that_is_killed(call: dict[str, Any], tmp_path: Path) -> None:
    words = (tmp_path / "background.log", call["pretrain_weights"], call["train_dataset"], call["save_dir"])
    command = [sys.executable, "-c", STARTED, *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        process_id = int(parent.stdout.readline())
        wait_for((call["save_dir"] / "epoch_1").exists)
        parent.kill()
    wait_for(lambda: not alive(process_id))
