"""Whether a run's folder is new, goes on or starts again; nobody's results are overwritten unasked."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from paddleprune.errors import CheckpointError, ConfigError
from paddleprune.files import check_writable
from paddleprune.settings import TrainSettings
from paddleprune.training.asked import RUN, Asked
from paddleprune.training.checkpoint import INFO, PLAN, read_state
from paddleprune.training.folder import existing
from paddleprune.training.places import BEST, HISTORY, epoch_folder, saved_epochs, saved_rounds

_START = (
    *("pretrain_weights", "sensitivities_file", "eval_metric_loss", "flops", "params", "latency"),
    *("max_loss", "save", "runtime", "threads", "onednn", "repair", "round_to", "rounds", "resumed"),
)
"""What a run that is resumed by name need not be told again."""


def go_on(save_dir: Path, asked: Asked, resume: Path | None, overwrite: bool) -> Path | None:
    """Make a folder ready for a run, before hours of training, and say where that goes on.

    Afterwards `run.json` there says what was asked. An earlier run that was asked for the same goes on.

    Args:
        save_dir: where results go.
        asked: for what.
        resume: the `epoch_N` folder that the person named, if any.
        overwrite: whether an earlier run there is removed first.

    Returns:
        The checkpoint to go on from; None at the start.

    Raises:
        ConfigError: an earlier run is there, or is resumed, that was asked for something else.
        CheckpointError: what was saved can't be read.
        SaveError: the place can't be written.
    """
    inside = resume is not None and resume.resolve().parent == save_dir.resolve()
    if resume is not None:
        asked = _resuming(asked, resume)
    if overwrite and inside:
        raise ConfigError(f"overwrite would remove {resume}, which is to be resumed; leave one of the two out")
    check_writable(save_dir / RUN)
    if overwrite:
        _check_kept(save_dir, asked)
        _clear(save_dir)
    start = resume if inside else _last(save_dir, asked) or resume
    asked.write(save_dir)
    return start


def _resuming(asked: Asked, resume: Path) -> Asked:
    """What a resumed run was asked for, where this time it isn't said.

    Raises:
        ConfigError: it was asked for something else: it would not go on exactly.
    """
    way_out = f"resuming goes on exactly: give the same, or start a new run with pretrain_weights={resume}"
    changed = read_state(resume)[0].differences(asked.settings, asked.training_samples)
    if changed:
        raise ConfigError(f"{resume} can't be resumed with {', '.join(changed)}; {way_out}")
    earlier = Asked.of(resume.parent)
    if earlier is None:
        return asked
    unsaid = frozenset(name for name in _START if getattr(asked, name) is None)
    difference = asked.difference(earlier, unsaid | {"resumed"} | TrainSettings.model_fields.keys())
    if difference:
        raise ConfigError(f"{resume} can't be resumed: {difference}; {way_out}")
    return asked.model_copy(update={name: getattr(earlier, name) for name in unsaid})


def _last(save_dir: Path, asked: Asked) -> Path | None:
    """The last checkpoint of the same run; None before the first.

    Raises:
        ConfigError: another run is there.
    """
    epochs, earlier = saved_epochs(save_dir), Asked.of(save_dir)
    if not epochs and not existing(save_dir / BEST).exists() and not _rounds(save_dir):
        return None
    again = "choose another save_dir, or `overwrite` to start again"
    if earlier is None:
        resume = f", or go on with resume_checkpoint={epoch_folder(save_dir, epochs[-1])}" if epochs else ""
        raise ConfigError(f"{save_dir} already holds a trained model; {again}{resume}")
    difference = asked.difference(earlier)
    if difference:
        raise ConfigError(f"{save_dir} already holds another run: {difference}; give the same to go on, {again}")
    return epoch_folder(save_dir, epochs[-1]) if epochs else None


def _check_kept(save_dir: Path, asked: Asked) -> None:
    for name in ("pretrain_weights", "sensitivities_file"):
        source = getattr(asked, name)
        if source is not None and save_dir.resolve() in source.path.resolve().parents:
            raise ConfigError(f"overwrite would remove {name} {source.path}; choose another save_dir")


def _clear(save_dir: Path) -> None:
    """Remove what an earlier run left, and nothing else: `run.json` first, so that half of it is never gone on with."""
    folders = [epoch_folder(save_dir, epoch) for epoch in saved_epochs(save_dir)]
    rounds = _rounds(save_dir)
    for name in (RUN, HISTORY, PLAN):
        (save_dir / name).unlink(missing_ok=True)
    for folder in (*folders, save_dir / BEST):
        place = existing(folder)
        if (place / INFO).exists():
            shutil.rmtree(place)
    for folder in rounds:
        _clear(folder)


def _rounds(save_dir: Path) -> list[Path]:
    """The earlier rounds of the run there: beside another run such folders are somebody's own."""
    with suppress(CheckpointError):
        asked = Asked.of(save_dir)
        return saved_rounds(save_dir) if asked is not None and asked.rounds else []
    return []
