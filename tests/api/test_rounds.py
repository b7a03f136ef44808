"""Cutting and retraining in rounds: what each leaves, and what becomes of it when it is stopped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import run

import paddleprune
from paddleprune.api.rounds import epochs_of, steps_of
from paddleprune.errors import ConfigError, PlanError
from paddleprune.settings import RetrainSettings, TrainSettings

ASKED: dict[str, Any] = {"train_batch_size": 16, "flops": 0.4, "rounds": 2, "num_epochs": 3, "learning_rate": 0.01}


def train(data: Path, dense: Path, folder: Path, **said: Any) -> Any:
    where = {"train_dataset": data, "eval_dataset": data, "save_dir": folder}
    return paddleprune.train("classification", **where, **{"pretrain_weights": dense, **ASKED, **said})


@pytest.fixture(scope="module")
def whole(data: Path, dense: Path, work: Path) -> Path:
    """What a run in rounds left that nobody stopped."""
    words = [word for name, value in ASKED.items() for word in (f"--{name.replace('_', '-')}", value)]
    where = ("--data", data, "--pretrain-weights", dense, "--save-dir", work / "rounds")
    done = run("train", "classification", *where, *words, "--teacher", dense, "--distill-layers", 1)
    assert "round 1 of 2: flops 0.632, 1 epoch" in done.stderr
    assert "metric loss of cut 2 alone: cut " in done.stderr
    return work / "rounds"


def weights(folder: Path) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


def plan_of(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    return read


def test_steps_are_geometric_and_the_last_round_trains_for_the_rest() -> None:
    assert epochs_of(10, 3) == [3, 3, 4]
    assert epochs_of(5, 5) == [1, 1, 1, 1, 1]
    budget = RetrainSettings(flops=0.125, params=500)
    steps = steps_of(budget, {"flops": 8000.0, "params": 2000.0}, TrainSettings(num_epochs=10, seed=5), 3)
    assert [step.limits["flops"] for step in steps] == pytest.approx([4000, 2000, 1000])
    assert [step.limits["params"] for step in steps] == pytest.approx([2000 * 0.25 ** (k / 3) for k in (1, 2, 3)])
    assert [(step.settings.num_epochs, step.settings.seed) for step in steps] == [(3, 6), (3, 7), (4, 5)]


def test_the_plan_says_what_went_of_the_dense_network_in_all(data: Path, dense: Path, whole: Path) -> None:
    one, last, cost = plan_of(whole / "round_1"), plan_of(whole), paddleprune.explain(dense)
    for plan, share in ((one, 0.4**0.5), (last, 0.4)):
        assert plan["before"] == {"parameters": cost.total_parameters, "flops": cost.total_flops}
        assert plan["after"]["flops"] <= share * cost.total_flops
        assert plan["model"] == one["model"]
    assert (one["joint"]["earlier"], last["joint"]["earlier"]) == (0, 1)
    assert last == plan_of(whole / "best_model")
    assert paddleprune.explain(whole / "best_model").total_parameters == last["after"]["parameters"]
    (value,) = paddleprune.evaluate(whole / "best_model", eval_dataset=data).values()
    assert value == pytest.approx(json.loads((whole / "best_model" / "checkpoint.json").read_text())["metrics"]["acc1"])
    page = (whole / "report.html").read_text()
    assert "before the cut" in page
    assert "cut 2 alone" in page
    paddleprune.report([whole / "round_1", whole], save_file=whole / "both.html")


@pytest.mark.slow
def test_rounds_are_runs_that_could_have_been_made_alone(data: Path, dense: Path, whole: Path, work: Path) -> None:
    asked = json.loads((whole / "run.json").read_text())
    assert (asked["rounds"], asked["flops"], asked["settings"]["num_epochs"]) == (2, 0.4, 3)
    (limit,) = plan_of(whole / "best_model")["budget"].values()
    more = {"teacher": dense, "distill_layers": 1, "rounds": 1, "num_epochs": 1, "flops": limit}
    alone = train(data, whole / "round_1" / "best_model", work / "alone", **more)
    assert weights(alone.last_model) == weights(whole / "epoch_1")


def test_what_was_stopped_goes_on_between_rounds_and_in_one(data: Path, dense: Path, whole: Path, work: Path) -> None:
    parts, more = work / "rounds in parts", {"teacher": dense, "distill_layers": 1}
    shutil.copytree(whole, parts)
    earlier = (parts / "round_1" / "epoch_1" / "checkpoint.json").stat().st_mtime_ns
    shutil.rmtree(parts / "epoch_2")
    train(data, dense, parts, **more)
    assert weights(parts / "epoch_2") == weights(whole / "epoch_2")
    for left in ("epoch_1", "epoch_2", "best_model"):
        shutil.rmtree(parts / left)
    with pytest.raises(ConfigError, match="already holds another run: rounds is 3, but was 2"):
        train(data, dense, parts, **more, rounds=3)
    with pytest.raises(ConfigError, match="rounds is not set, but was 2"):
        train(data, dense, parts, **more, rounds=1)
    train(data, dense, parts, **more)
    assert weights(parts / "epoch_2") == weights(whole / "epoch_2")
    assert (parts / "round_1" / "epoch_1" / "checkpoint.json").stat().st_mtime_ns == earlier


class Noise(paddleprune.Dataset):
    """Images of somebody's own, which differ from epoch to epoch."""

    labels = ("dark", "bright")

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> Any:
        random = np.random.default_rng((self.seed, self.epoch, index))
        return (random.normal(index % 2, 0.3, (1, 28, 28)).astype("float32"),), index % 2


def test_data_of_one_s_own_is_the_same_after_a_stop(tmp_path: Path) -> None:
    def trained(folder: str, **said: Any) -> Any:
        where = {"train_dataset": Noise(), "eval_dataset": Noise(), "save_dir": tmp_path / folder}
        return paddleprune.train("classification", train_batch_size=8, num_epochs=2, **where, **said)

    rounds = {"pretrain_weights": trained("dense", model="lenet").best_model, "flops": 0.5, "rounds": 2}
    whole = trained("whole", **rounds)
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    for left in ("epoch_1", "best_model"):
        shutil.rmtree(tmp_path / "parts" / left)
    assert weights(trained("parts", **rounds).last_model) == weights(whole.last_model)


def test_a_size_that_no_round_can_reach_is_refused_before_the_first(data: Path, dense: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="can't be had: when all has gone that may go"):
        train(data, dense, tmp_path / "out", flops=1e-4)
    assert not (tmp_path / "out" / "round_1").exists()
