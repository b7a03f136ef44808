"""A small real data set, and a model trained on it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from command import SHORT, SMALL, run


@pytest.fixture(scope="session")
def data(shapes: Path) -> Path:
    return shapes


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of these tests' own: others train another model."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="session")
def dense(data: Path, work: Path) -> Path:
    """A trained MobileNetV1."""
    words = ("--model", "mobilenet_v1", *SMALL, "--data", data, "--save-dir", work / "dense", *SHORT)
    run("train", "classification", *words, "--num-epochs", 2)
    return work / "dense" / "best_model"
