"""The demo's data is real: decoded from PNG files through lists that it wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from demos import check_without_scikit_learn, opened

from paddleprune.testing import TaskConformance
from paddleprune_segmentation.demo import scenes_demo

pytest.importorskip("sklearn")


class TestSegmentation(TaskConformance):
    task = "segmentation"


def test_scenes_come_in_list_layout(tmp_path: Path) -> None:
    _, options, _, val = opened("segmentation", tmp_path)
    lines = {split: (tmp_path / f"{split}_list.txt").read_text().split() for split in ("train", "val")}
    assert not set(lines["train"]) & set(lines["val"])
    counts = np.zeros(options.num_classes, np.int64)
    for index in range(len(val)):
        (pixels,), mask = val[index]
        assert pixels.shape == options.input_shapes()[0]
        counts += np.bincount(mask.ravel(), minlength=options.num_classes)
    assert counts[1:].min() > 0.2 * counts[1:].max()  # every digit occurs
    assert 0.7 < counts[0] / counts.sum() < 0.95


def test_without_scikit_learn_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_without_scikit_learn(scenes_demo, tmp_path, monkeypatch)
