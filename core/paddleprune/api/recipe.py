"""How what was cut is retrained, where the user leaves that to this project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paddleprune.console import counted
from paddleprune.settings import REPAIRED_RATE, RecipeName, TrainSettings
from paddleprune.training import Asked

_EPOCHS: Mapping[str, float] = {"fast": 0.2, "best": 1.0}
"""Recipe -> the share of the dense model's epochs that it takes."""
_KEPT = (
    *("train_batch_size", "parts", "optimizer", "momentum", "weight_decay", "decay_norms", "clip_norm"),
    *("mixup", "cutmix", "ema"),
)
"""Settings of the dense model's training that hold for the retraining, too."""


def retraining(recipe: RecipeName | None, weights: Any, repair: bool) -> tuple[dict[str, Any], str]:
    """The settings that a recipe stands for, and a line that says them; nothing without one.

    A run that was a retraining already has its learning rate lowered: it isn't lowered once more.

    Args:
        recipe: its name; any other gives nothing, and is refused elsewhere.
        weights: the checkpoint that the retraining starts from, which lies in the folder of its run.
        repair: whether the cut weights are repaired: only then they need a lower rate.

    Raises:
        CheckpointError: what that run was asked for can't be read.
    """
    if recipe is None or recipe not in _EPOCHS or not isinstance(weights, (str, Path)):
        return {}, ""
    folder = Path(weights).expanduser().parent
    asked = Asked.of(folder)
    dense = TrainSettings() if asked is None else asked.settings
    lower = repair and (asked is None or asked.repair is None)
    found = {name: getattr(dense, name) for name in _KEPT}
    found |= {
        "num_epochs": max(1, round(_EPOCHS[recipe] * dense.num_epochs)),
        "learning_rate": dense.learning_rate * (REPAIRED_RATE if lower else 1),
        "lr_schedule": "cosine",
    }
    where = "no run is known that made the model, so by the usual settings" if asked is None else f"as {folder} was"
    said = f"{dense.optimizer} from a learning rate of {found['learning_rate']:g}, batches of {dense.train_batch_size}"
    return found, f"recipe {recipe}, {where}: {counted(found['num_epochs'], 'epoch')}, {said}"
