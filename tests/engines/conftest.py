"""A small real data set, and a model trained on it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "api"))

from command import SHORT, SMALL, run
from shapes import write_images


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    write_images(folder)
    return folder


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def dense(data: Path, work: Path) -> Path:
    """A trained MobileNetV1."""
    words = ("--model", "mobilenet_v1", *SMALL, "--data", data, "--save-dir", work / "dense", *SHORT)
    run("train", "classification", *words, "--num-epochs", 2)
    return work / "dense" / "best_model"
