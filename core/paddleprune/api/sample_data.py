"""A small data set of a task, to try the commands on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paddleprune.api.data import open_dataset
from paddleprune.files import filling, user_path
from paddleprune.registry import Registry
from paddleprune.specs import Contract


class SampleData(Contract):
    """What was written.

    Attributes:
        folder: the data, as `--data` and `train_dataset` take it.
        train_samples: how many there are to train on.
        eval_samples: how many to evaluate.
        labels: the names of the classes.
        settings: those of `train` that suit it: `model`, `options` and others by their names.
    """

    folder: Path
    train_samples: int
    eval_samples: int
    labels: tuple[str, ...]
    settings: dict[str, Any]


def sample_data(task: str, *, save_dir: str | Path) -> SampleData:
    """Write a small data set, on which each command takes seconds; it is the same each time and needs no network.

    `train(task, **data.settings, train_dataset=data.folder, eval_dataset=data.folder, save_dir=…)` trains on it.

    Args:
        task: a task whose plugin has one.
        save_dir: an empty folder, or one that isn't there.

    Raises:
        UnknownNameError: there is no such task, or it has no sample data.
        ConfigError: `save_dir` holds something.
        SaveError: it can't be written.
    """
    folder = user_path(save_dir)
    registry = Registry.discover()
    registry.task(task)
    with filling(folder) as place:
        settings = registry.sample_data(task, place)
    options = registry.options(task, settings["model"], settings.get("options", {}))
    train, evaluation = (open_dataset(registry, task, folder, split, options) for split in ("train", "eval"))
    return SampleData(
        folder=folder,
        train_samples=len(train),
        eval_samples=len(evaluation),
        labels=tuple(evaluation.labels),
        settings=settings,
    )
