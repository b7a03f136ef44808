"""The folders of a training run, and which of them it goes on from."""

from __future__ import annotations

import re
from pathlib import Path

from paddleprune.console import say
from paddleprune.errors import CheckpointError, ConfigError
from paddleprune.training.checkpoint import INFO, Checkpoint, read_checkpoint, read_info, write_checkpoint
from paddleprune.training.folder import existing
from paddleprune.training.state import Best

BEST, HISTORY = "best_model", "history.json"


def place_for_model(save_dir: Path, overwrite: bool) -> Path:
    """Where a model goes that isn't trained here.

    Raises:
        ConfigError: there is one already that may not be replaced.
    """
    best = save_dir / BEST
    if existing(best).exists() and not overwrite:
        raise ConfigError(f"{save_dir} already holds a model; choose another save_dir, or `overwrite` to replace it")
    return best


def epoch_folder(save_dir: Path, epoch: int) -> Path:
    """Where the checkpoint after an epoch lies."""
    return save_dir / f"epoch_{epoch}"


def saved_epochs(save_dir: Path) -> list[int]:
    """The epochs with a checkpoint, ascending."""
    names = (re.fullmatch(r"\.?epoch_(\d+)(\.previous)?", path.name) for path in save_dir.glob("*epoch_*"))
    epochs = {int(match[1]) for match in names if match}
    return sorted(e for e in epochs if (existing(epoch_folder(save_dir, e)) / INFO).exists())


def round_folder(save_dir: Path, number: int) -> Path:
    """Where a round lies that isn't the last one: a run like any other."""
    return save_dir / f"round_{number}"


def saved_rounds(save_dir: Path) -> list[Path]:
    """The rounds that have begun, but for the last one."""
    folders = [path for path in save_dir.glob("round_*") if re.fullmatch(r"round_\d+", path.name)]
    return sorted(folder for folder in folders if saved_epochs(folder))


def resume_folder(path: Path) -> Path:
    """The checkpoint to go on from: `path` itself, or the latest epoch of a whole run's `save_dir`.

    Raises:
        CheckpointError: there is none.
    """
    if (existing(path) / INFO).exists():
        return path
    if not path.exists():
        raise CheckpointError(f"{path} does not exist; give a save_dir or an epoch_N folder in it")
    epochs = saved_epochs(path) if path.is_dir() else []
    if not epochs:
        raise CheckpointError(f"{path} holds no checkpoint to resume from; give a save_dir or an epoch_N folder in it")
    return epoch_folder(path, epochs[-1])


def restore_best(save_dir: Path, resumed: Checkpoint, best: Best) -> Best:
    """Make `best_model` that of the run as it stood at the checkpoint that is resumed.

    It differs when an earlier epoch than the last is resumed, or one of another `save_dir`.

    Returns:
        `best`; or, where its weights are gone, the resumed checkpoint's own evaluation.
    """
    beside = resumed.folder.parent
    for place in (save_dir / BEST, beside / BEST, epoch_folder(beside, best.epoch)):
        if (existing(place) / INFO).exists() and read_info(place).completed_epochs == best.epoch:
            if place != save_dir / BEST:
                _copy(read_checkpoint(place), save_dir / BEST)
            return best
    _copy(resumed, save_dir / BEST)
    info = resumed.info
    if info.completed_epochs != best.epoch:
        say(f"the best model, of epoch {best.epoch}, is not beside {resumed.folder}; best_model starts from that one")
    return Best(epoch=info.completed_epochs, value=info.metrics[info.primary_metric])


def _copy(checkpoint: Checkpoint, folder: Path) -> None:
    """Without the training state, as every `best_model`."""
    write_checkpoint(folder, checkpoint.weights, checkpoint.info, checkpoint.plan)
