"""How what was cut is retrained, where the user leaves that to this project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from paddleprune.console import counted
from paddleprune.settings import REPAIRED_RATE, RecipeName, TrainSettings
from paddleprune.training import Asked


class Recipe(NamedTuple):
    """How a repaired network is trained on, as shares of the dense model's training.

    Attributes:
        epochs: how long.
        rate: the highest learning rate.
    """

    epochs: float
    rate: float


RECIPES: Mapping[str, Recipe] = {"fast": Recipe(0.2, REPAIRED_RATE), "best": Recipe(1.0, 0.5)}
"""A higher rate undoes more of the repair, and leads further if there is time."""
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
    if recipe is None or recipe not in RECIPES or not isinstance(weights, (str, Path)):
        return {}, ""
    folder = Path(weights).expanduser().parent
    asked = Asked.of(folder)
    dense = TrainSettings() if asked is None else asked.settings
    lower = repair and (asked is None or asked.repair is None)
    found = {name: getattr(dense, name) for name in _KEPT}
    chosen = RECIPES[recipe]
    found |= {
        "num_epochs": max(1, round(chosen.epochs * dense.num_epochs)),
        "learning_rate": dense.learning_rate * (chosen.rate if lower else 1),
        "lr_schedule": "cosine",
    }
    where = "no run is known that made the model, so by the usual settings" if asked is None else f"as {folder} was"
    said = f"{dense.optimizer} from a learning rate of {found['learning_rate']:g}, batches of {dense.train_batch_size}"
    return found, f"recipe {recipe}, {where}: {counted(found['num_epochs'], 'epoch')}, {said}"
