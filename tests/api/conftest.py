"""A small real data set and a model trained on it by the command line; fresh layers of a user's own."""

from __future__ import annotations

import sys
from pathlib import Path

import paddle
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from command import SHORT, SMALL, run
from layer_nets import Classifier, TwoInputs
from paddle import nn


@pytest.fixture(scope="session")
def data(shapes: Path) -> Path:
    return shapes


@pytest.fixture(scope="session")
def dense(data: Path, work: Path) -> Path:
    """A trained MobileNetV2."""
    words = ("--model", "mobilenet_v2", *SMALL, "--data", data, "--save-dir", work / "dense", *SHORT)
    done = run("train", "classification", *words, "--num-epochs", 3)
    assert f"best model: {work / 'dense' / 'best_model'}" in done.stdout
    return work / "dense" / "best_model"


@pytest.fixture(scope="session")
def table(data: Path, work: Path, dense: Path) -> Path:
    """Its sensitivity table."""
    file = work / "mobilenetv2.sensi.json"
    run("analyze", dense, "--data", data, "--save-file", file, "--ratios", "0.3,0.6", "--batch-size", 24)
    return file


@pytest.fixture(scope="session")
def pruned(data: Path, work: Path, dense: Path, table: Path) -> Path:
    """The same model, pruned and retrained."""
    what = ("--pretrain-weights", dense, "--sensitivities-file", table, "--eval-metric-loss", 0.3)
    words = ("--data", data, "--save-dir", work / "prune", *SHORT, "--num-epochs", 1, *what)
    done = run("train", "classification", *words)
    assert "certificate: masked and shrunk outputs differ by at most" in done.stderr
    return work / "prune" / "best_model"


@pytest.fixture
def layer() -> nn.Layer:
    """A fresh `TwoInputs`."""
    paddle.seed(0)
    return TwoInputs()


@pytest.fixture
def classifier() -> nn.Layer:
    """A fresh `Classifier`."""
    paddle.seed(0)
    return Classifier()
