"""A small data set on disk."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from seg_files import write_folder

from paddleprune_segmentation.config import SegmentationData


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images to train on and two to evaluate, 32x48, three classes."""
    return write_folder(tmp_path)


@pytest.fixture
def train_data(folder: Path) -> SegmentationData:
    return SegmentationData.from_directory(folder, "train")
