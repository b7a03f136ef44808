"""The commands that are killed: a tiny LeNet on a few pictures; and what they have saved by any moment."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from paddleprune.errors import PaddlePruneError
from paddleprune.sensitivity import SensitivityTable
from paddleprune.training import read_checkpoint
from paddleprune.training.checkpoint import read_state
from paddleprune.training.folder import existing
from paddleprune.training.places import BEST, epoch_folder, saved_epochs

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TABLE, RUN = "table.json", "run"
_TRAINING = ("--train-batch-size", "8", "--learning-rate", "0.01", "--num-workers", "0")


@dataclass(frozen=True)
class Inputs:
    """What the commands work on."""

    data: Path
    dense: Path
    table: Path


@dataclass(frozen=True)
class Job:
    """A command that is killed, and then given again.

    Attributes:
        name: what it shows.
        words: the command, but for where its results go.
        trains: whether those are a folder of checkpoints, or a table.
    """

    name: str
    words: tuple[str, ...]
    trains: bool

    def start(self, folder: Path) -> subprocess.Popen[str]:
        """Start it, in a session of its own."""
        target = ("--save-dir", folder / RUN) if self.trains else ("--save-file", folder / TABLE)
        return start(*self.words, *target)

    def saved(self, folder: Path) -> dict[str, str]:
        """What is there: name -> content, in short. Everything must be readable.

        Raises:
            PaddlePruneError: it isn't.
        """
        return _checkpoints(folder / RUN) if self.trains else _entries(folder / TABLE)


def start(*words: object) -> subprocess.Popen[str]:
    """A command of paddleprune's, in a process of its own."""
    command = [sys.executable, "-m", "paddleprune", *map(str, words)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=ENVIRONMENT, start_new_session=True, **pipes)


def finish(process: subprocess.Popen[str], seconds: float = 300) -> str:
    """What it said; it must end well."""
    said = process.communicate(timeout=seconds)[1]
    if process.returncode:
        raise PaddlePruneError(f"{process.args} ended with {process.returncode}: {said[-2000:]}")
    return said


def prepare(folder: Path) -> Inputs:
    """Pictures, a trained LeNet and its table."""
    data, generator = folder / "data", np.random.default_rng(0)
    for split, count in (("train", 16), ("val", 12)):
        for kind, value in (("dark", 60), ("light", 180)):
            (data / split / kind).mkdir(parents=True)
            for i in range(count):
                picture = np.clip(generator.normal(value, 60, (28, 28)), 0, 255).astype(np.uint8)
                cv2.imwrite(str(data / split / kind / f"{i}.png"), picture)
    dense, table = folder / "dense" / BEST, folder / TABLE
    words = ("--model", "lenet", "--data", data, "--save-dir", folder / "dense", "--num-epochs", 2, *_TRAINING)
    finish(start("train", "classification", *words))
    finish(start("analyze", dense, "--data", data, "--save-file", table, "--ratios", "0.3,0.6"))
    return Inputs(data, dense, table)


def jobs(inputs: Inputs) -> tuple[Job, ...]:
    """Everything that is killed."""
    data = ("--data", str(inputs.data))
    analyze = ("analyze", str(inputs.dense), *data, "--batch-size", "2")
    train = ("train", "classification", *data, *_TRAINING, "--num-epochs", "12")
    prune = ("--pretrain-weights", str(inputs.dense), "--sensitivities-file", str(inputs.table))
    return (
        Job("analyze", analyze, trains=False),
        Job("train", (*train, "--model", "lenet"), trains=True),
        Job("analyze with two workers", (*analyze, "--workers", "2"), trains=False),
        Job("prune and train", (*train, *prune, "--eval-metric-loss", "0.4"), trains=True),
    )


def _entries(table: Path) -> dict[str, str]:
    if not table.exists():
        return {}
    groups = SensitivityTable.load(table).groups
    return {f"{name} {p.ratio}": repr(p.metric) for name, points in groups.items() for p in points}


def _checkpoints(run: Path) -> dict[str, str]:
    """Every epoch's weights and optimizer; the best model must be readable, but may be replaced by a better one."""
    if (existing(run / BEST)).exists():
        read_checkpoint(run / BEST)
    found: dict[str, str] = {}
    for epoch in saved_epochs(run):
        folder = epoch_folder(run, epoch)
        arrays: Mapping[str, np.ndarray] = {**read_checkpoint(folder).weights, **read_state(folder)[1]}
        content = b"".join(name.encode() + array.tobytes() for name, array in sorted(arrays.items()))
        found[f"epoch {epoch}"] = hashlib.sha256(content).hexdigest()
    return found
