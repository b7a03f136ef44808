"""Small data sets on disk."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from det_files import write_coco, write_voc


@pytest.fixture
def voc_folder(tmp_path: Path) -> Path:
    """Three images to train on and two to evaluate, 48x64, two classes, in VOC layout."""
    return write_voc(tmp_path / "voc")


@pytest.fixture
def coco_folder(tmp_path: Path) -> Path:
    """The same images and objects in COCO layout."""
    return write_coco(tmp_path / "coco")
