"""What the tests of every built-in demo ask of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from paddleprune.errors import DependencyError
from paddleprune.registry import Registry
from paddleprune.settings import TrainSettings


class Opened(NamedTuple):
    """A demo's recipe, and the data that it wrote."""

    recipe: Any
    options: Any
    train: Any
    val: Any


def opened(task: str, folder: Path) -> Opened:
    """Its data suits its model, and its settings are settings."""
    registry = Registry.discover()
    demo = registry.demo(task, folder)
    options = registry.options(task, demo.family, demo.options)
    train = registry.build_dataset(task, demo.train_dataset, "train", options)
    val = registry.build_dataset(task, demo.eval_dataset, "eval", options)
    assert list(train.labels) == list(val.labels)
    assert len(train.labels) == options.num_classes
    for settings in (demo.settings, {**demo.settings, **demo.retrain_settings}):
        TrainSettings.model_validate({name: value for name, value in settings.items() if name != "loss"})
    return Opened(demo, options, train, val)


def check_without_scikit_learn(demo: Callable[[Path], object], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(DependencyError, match=r"pip install 'paddleprune\[demo\]'"):
        demo(folder)
