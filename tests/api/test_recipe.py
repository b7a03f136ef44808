"""A recipe says how what was cut is retrained, as far as nobody else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import run

from paddleprune.api.recipe import retraining
from paddleprune.training import Asked


def test_a_retraining_is_like_the_dense_one_but_gentler(data: Path, dense: Path, tmp_path: Path) -> None:
    words = ("--data", data, "--pretrain-weights", dense, "--flops", 0.6, "--save-dir", tmp_path / "out")
    done = run("train", "classification", *words, "--recipe", "fast", "--eval-batch-size", 24)
    before, after = Asked.of(dense.parent), json.loads((tmp_path / "out" / "run.json").read_text())["settings"]
    assert before is not None
    assert f"recipe fast, as {dense.parent} was: 1 epoch, momentum from a learning rate of" in done.stderr
    assert after["num_epochs"] == 1  # a fifth of three, rounded
    assert after["train_batch_size"] == before.settings.train_batch_size
    assert after["learning_rate"] == pytest.approx(before.settings.learning_rate / 2)
    assert (after["lr_schedule"], after["eval_batch_size"]) == ("cosine", 24)


def test_what_is_known_of_the_run_decides(dense: Path, pruned: Path, tmp_path: Path) -> None:
    before, again = Asked.of(dense.parent), Asked.of(pruned.parent)
    assert before is not None
    assert again is not None
    best, _ = retraining("best", dense, repair=True)
    assert best["num_epochs"] == before.settings.num_epochs
    assert best["learning_rate"] == before.settings.learning_rate / 2
    unrepaired, _ = retraining("best", dense, repair=False)
    assert unrepaired["learning_rate"] == before.settings.learning_rate
    lowered, _ = retraining("best", pruned, repair=True)
    assert lowered["learning_rate"] == again.settings.learning_rate  # which was lowered already
    usual, line = retraining("fast", tmp_path / "copied" / "best_model", repair=True)
    assert (usual["num_epochs"], usual["learning_rate"]) == (2, 0.025 / 2)
    assert "no run is known that made the model" in line
