"""A trained network that is wide enough to gain from INT8."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import run


@pytest.fixture(scope="session")
def wide(shapes: Path, work: Path) -> Path:
    """A trained ResNet18-vd of half the width."""
    model = ("--model", "resnet18_vd", "--options", "input_size=64", "--options", "scale=0.5")
    how = ("--train-batch-size", 16, "--learning-rate", 0.02, "--lr-schedule", "cosine")
    words = (*model, "--data", shapes, "--save-dir", work / "wide", *how)
    run("train", "classification", *words, "--num-epochs", 12, "--save-interval-epochs", 12)
    return work / "wide" / "best_model"
