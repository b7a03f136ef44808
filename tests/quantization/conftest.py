"""A trained network that is wide enough to gain from INT8."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import SHORT, run


@pytest.fixture(scope="session")
def wide(shapes: Path, work: Path) -> Path:
    """A trained ResNet18."""
    words = ("--model", "resnet18", "--options", "input_size=64", "--data", shapes, "--save-dir", work / "wide", *SHORT)
    run("train", "classification", *words, "--num-epochs", 2)
    return work / "wide" / "best_model"
