"""Real image files: written by OpenCV, read by the plugin's own decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from images import write

from paddleprune_classification.config import ClassificationData


def noise(height: int = 20, width: int = 30, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.fixture
def image_net(tmp_path: Path) -> Path:
    """A folder in ImageNet layout: two classes, three images to train on, two to evaluate."""
    names = ["a/0.png", "a/1.png", "b/with space ü.png", "a/3.png", "b/4.png"]
    lines = [f"{name} {'ab'.index(name[0])}\n" for name in names]
    for seed, name in enumerate(names):
        write(tmp_path / name, noise(seed=seed))
    (tmp_path / "train_list.txt").write_text("".join(lines[:3]), encoding="utf-8")
    (tmp_path / "val_list.txt").write_text("".join(lines[3:]), encoding="utf-8")
    (tmp_path / "labels.txt").write_text("apple\nbanana\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def train_data(image_net: Path) -> ClassificationData:
    return ClassificationData.from_directory(image_net, "train")
