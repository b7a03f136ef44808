"""`train --ranks 2`: two processes train as one does, and end and go on together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from command import run

import paddleprune
from paddleprune.errors import ConfigError
from paddleprune.training import read_checkpoint
from paddleprune.training.ranks import join

MEETING = Path(__file__).parents[1] / "training" / "meeting.py"
EPOCHS = 6
NORM = ("weight", "bias", "_mean", "_variance")


class Runs(NamedTuple):
    """A LeNet that was cut and retrained, by one process and by two; and the command that did it."""

    one: Path
    two: Path
    said: str
    command: tuple[object, ...]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("ranks")
    data, dense = folder / "data", folder / "dense"
    paddleprune.sample_data("classification", save_dir=data)
    common = ("train", "classification", "--data", data, "--train-batch-size", 8, "--device", "cpu")
    run(*common, "--model", "lenet", "--num-epochs", 1, "--save-dir", dense)
    start = ("--pretrain-weights", dense / "best_model", "--flops", 0.6)
    command = (*common, *start, "--num-epochs", EPOCHS, "--ema", 0.9, "--momentum", 0.5, "--parts", 2)
    run(*command, "--save-dir", folder / "one")
    said = run(*command, "--save-dir", folder / "two", "--ranks", 2)
    assert said.stdout.count("best model: ") == 1
    return Runs(folder / "one", folder / "two", said.stderr, command)


def losses(run: Path) -> list[float]:
    return [epoch["loss"] for epoch in json.loads((run / "history.json").read_text())]


def last_weights(run: Path) -> dict[str, Any]:
    return dict(read_checkpoint(run / f"epoch_{EPOCHS}").weights)


def test_two_ranks_are_one(runs: Runs) -> None:
    one, two = last_weights(runs.one), last_weights(runs.two)
    assert read_checkpoint(runs.two / "best_model").plan is not None
    assert losses(runs.two) == pytest.approx(losses(runs.one), rel=1e-4)
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_allclose(two[name], array, rtol=1e-3, atol=1e-4, err_msg=name)
    assert runs.said.count(f"epoch {EPOCHS}/{EPOCHS} evaluated") == 1
    assert {path.name for path in runs.two.iterdir()} == {path.name for path in runs.one.iterdir()}


def heeds_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stopped(runs: Runs, save_dir: Path, epoch: int, stop: Callable[[int, list[int]], None]) -> tuple[int, str]:
    """Let two ranks train until an epoch is saved; what the command ended with, and its last line."""
    words = [sys.executable, "-m", "paddleprune", *map(str, runs.command), "--save-dir", str(save_dir), "--ranks", "2"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=heeds_interrupts) as process:
        deadline = time.monotonic() + 120
        while not (save_dir / f"epoch_{epoch}").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        children = list(map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()))
        stop(process.pid, children)
        said = process.communicate(timeout=60)[1].strip().splitlines()
    assert len(children) == 2
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    return process.returncode, said[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_rank_that_is_killed_ends_all_and_the_same_command_goes_on_to_the_same_end(
    runs: Runs, tmp_path: Path
) -> None:
    code, said = stopped(runs, tmp_path, 1, lambda _, children: os.kill(children[1], signal.SIGKILL))
    way_out = "the same command goes on after the last epoch that was saved"
    assert (code, said) == (2, f"error: rank 1 was ended by SIGKILL; {way_out}")
    assert not (tmp_path / f"epoch_{EPOCHS}").exists()
    again = run(*runs.command, "--save-dir", tmp_path, "--ranks", 2)
    assert "going on after epoch" in again.stderr
    assert losses(tmp_path) == losses(runs.two)
    for name, array in last_weights(runs.two).items():
        np.testing.assert_array_equal(last_weights(tmp_path)[name], array, err_msg=name)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_is_one_line(runs: Runs, tmp_path: Path) -> None:
    code, said = stopped(runs, tmp_path, 1, lambda parent, _: os.kill(parent, signal.SIGINT))
    assert code == 130
    assert said.startswith(f"interrupted; the same command goes on after {tmp_path}/epoch_")


def test_wrong_numbers_are_one_line(runs: Runs) -> None:
    def refused(*more: object) -> str:
        (line,) = run(*runs.command, *more, code=2).stderr.strip().splitlines()
        return line

    assert "ranks is 1, but was 2; give the same to go on" in refused("--save-dir", runs.two)
    assert "--train-batch-size 8 can't be split into equal parts for 3 ranks" in refused("--ranks", 3)
    assert "ranks have a GPU each, not all of them gpu:1" in refused("--ranks", 2, "--parts", 1, "--device", "gpu:1")
    assert "--sync-norms is over several ranks, and there is one" in refused("--sync-norms")
    with pytest.raises(ConfigError, match="`sync_norms` needs GPUs, and the device is 'cpu'"):
        join("cpu", sync_norms=True)
    with pytest.raises(ConfigError, match="ranks is 2, but the processes that were started together are 1"):
        paddleprune.train("classification", train_dataset=".", eval_dataset=".", save_dir=runs.two, ranks=2)


def test_what_ranks_do() -> None:
    ends = f"127.0.0.1:{36000 + os.getpid() % 20000},127.0.0.1:1"
    both = {"PADDLE_TRAINERS_NUM": "2", "PADDLE_TRAINER_ENDPOINTS": ends, "PADDLE_CURRENT_ENDPOINT": ends.split(",")[0]}
    command, environment = [sys.executable, str(MEETING)], {**os.environ, **both}
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120, env=environment).stdout
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    first, second = sorted(lines, key=lambda line: line.pop("rank"))
    assert (first.pop("share"), second.pop("share")) == ([0, 1, 2], [3, 4, 5])
    assert (first.pop("frozen"), second.pop("frozen")) == ([1.0, 1.0], [2.0, 2.0])
    assert first == second
    assert first["loss"] == 1.5
    assert first["broken"]
    assert first["gradients"] == [[1.5] * 4, None, [0.5] * 2, None, None, None]
    assert first["statistics"] == [1.5, 1.5]
    assert first["synchronised"] == ["Linear", "SyncBatchNorm", "SyncBatchNorm"]
    assert set(first["weights"]) == {"0.weight", "0.bias", *(f"{n}.{w}" for n in "12" for w in NORM), "steps"}
    assert first["long"] == 3_000_000
    assert first["once"] == [0, None, "ä"]
