"""What doesn't go together is refused by name, before any file is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import paddleprune
from paddleprune.api.rules import RULES
from paddleprune.errors import ConfigError

PLACES = {"eval_dataset": "nowhere/data", "save_dir": "nowhere/out"}
TRAINED = {"pretrain_weights": "nowhere/model"}
TABLE = {"sensitivities_file": "nowhere/table.json"}
PRUNED: list[tuple[str, dict[str, Any]]] = [
    ("say what is wanted", {}),
    ("eval_metric_loss goes with a table", {"eval_metric_loss": 0.1}),
    ("depth wants a budget", {**TABLE, "depth": True}),
]
RETRAINED: list[tuple[str, dict[str, Any]]] = [
    ("eval_metric_loss goes with a table", {**TRAINED, "eval_metric_loss": 0.1}),
    ("say how to prune", {**TRAINED, "exclude": "a"}),
    ("say how to prune", {**TRAINED, "only": "a"}),
    ("say how to prune", {**TRAINED, "criterion": "l1"}),
    ("say how to prune", {**TRAINED, "depth": True}),
    ("depth chooses branches by what a repair gives back", {**TRAINED, "flops": 0.5, "depth": True, "repair": False}),
    ("depth wants a budget", {**TRAINED, **TABLE, "depth": True}),
    ("pruning starts from trained weights", {"flops": 0.5}),
    ("pruning starts from trained weights", TABLE),
    ("a table fits the network that it was measured of", {**TRAINED, **TABLE, "flops": 0.5, "rounds": 2}),
    ("rounds go towards a size", {**TRAINED, "rounds": 2}),
    ("rounds go towards a size", {**TRAINED, "max_loss": 0.1, "rounds": 2}),
    ("the steps of rounds are FLOPs and parameters", {**TRAINED, "flops": 0.5, "max_loss": 0.1, "rounds": 2}),
    ("the steps of rounds are FLOPs and parameters", {**TRAINED, "flops": 0.5, "latency": 0.5, "rounds": 2}),
    ("each of the rounds trains for an epoch", {**TRAINED, "flops": 0.5, "rounds": 3, "num_epochs": 2}),
    ("rounds go on by themselves", {**TRAINED, "flops": 0.5, "rounds": 2, "resume_checkpoint": "nowhere/epoch_1"}),
    ("a recipe retrains trained weights", {"model": "mobilenet_v2", "recipe": "fast"}),
    ("a recipe says how a run begins", {**TRAINED, "recipe": "best", "resume_checkpoint": "nowhere/epoch_1"}),
    ("recipe", {**TRAINED, "flops": 0.5, "recipe": "slow"}),
    ("max_time ends one training", {**TRAINED, "flops": 0.5, "rounds": 2, "max_time": "1h"}),
    ("sparsity prepares a cut", {**TRAINED, "flops": 0.5, "sparsity": 0.1}),
    ("must be greater than or equal to 1|rounds", {**TRAINED, "flops": 0.5, "rounds": 0}),
]


@pytest.mark.parametrize(("words", "said"), PRUNED)
def test_prune_refuses(words: str, said: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words):
        paddleprune.prune("nowhere/model", **PLACES, **said)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("words", "said"), RETRAINED)
def test_train_refuses(words: str, said: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words):
        paddleprune.train("classification", train_dataset="nowhere/data", **PLACES, **said)
    assert not list(tmp_path.iterdir())


def test_a_teacher_s_weight_wants_a_teacher(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="distill and distill_layers say what a teacher counts: give teacher, too"):
        paddleprune.train("classification", train_dataset="x", eval_dataset="x", save_dir=tmp_path, distill=0.5)


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_mixed_precision_is_refused_on_a_cpu_before_anything_is_written(amp: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"train_dataset": "x", "eval_dataset": "x", "save_dir": tmp_path / "run"}
    with pytest.raises(ConfigError, match=f"amp` {amp} needs a GPU.*'cpu', where Paddle trains in float32 alone"):
        paddleprune.train("classification", amp=amp, device="cpu", **given)
    assert not list(tmp_path.iterdir())


def test_every_rule_is_tried() -> None:
    tried = [words for words, _ in [*PRUNED, *RETRAINED]]
    assert [rule.says for rule in RULES if not any(words in rule.says for words in tried)] == []
