"""The demo's scenes are real files, and each box is tight around the ink of one digit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddleprune.errors import DependencyError
from paddleprune.specs import ImageOptions
from paddleprune_detection import scenes
from paddleprune_detection.config import DetectionData
from paddleprune_detection.data.dataset import ObjectDataset

OPTIONS = ImageOptions(num_classes=scenes.KINDS, input_size=scenes.SIZE)
PLAIN = [{"name": "Normalize", "mean": [0.0], "std": [1.0]}]


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("sklearn")
    monkeypatch.setattr(scenes, "_SCENES", {"train": 30, "val": 60})
    scenes.write_scenes(tmp_path)
    return tmp_path


def opened(folder: Path, split: str) -> ObjectDataset:
    config = DetectionData.from_directory(folder, split)  # type: ignore[arg-type]
    return ObjectDataset(DetectionData.model_validate({**config.model_dump(), "transforms": PLAIN}), split, OPTIONS)


def test_boxes_are_tight_around_bright_digits(few: Path) -> None:
    data = opened(few, "eval")
    counts = np.zeros(scenes.KINDS, np.int64)
    for index in range(len(data)):
        (pixels,), (objects, _, _) = data[index]
        assert pixels.shape == (3, scenes.SIZE, scenes.SIZE)
        assert len(objects.classes) >= 1
        counts += np.bincount(objects.classes, minlength=scenes.KINDS)
        brightness, outside = pixels.max(0), np.ones(pixels.shape[1:], bool)
        for left, top, right, bottom in objects.boxes.astype(int):
            box = brightness[top:bottom, left:right]
            outside[top:bottom, left:right] = False
            for edge in (box[0], box[-1], box[:, 0], box[:, -1]):
                assert edge.max() > 0.4  # there is ink on every side, half transparent at least
        for left, top, right, bottom in objects.boxes.astype(int):
            around = np.zeros_like(outside)
            around[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = True
            outside &= ~around  # half transparent edges of the ink
        assert brightness[outside].max() <= 0.5  # photographs are darkened
    assert counts.min() > 0
    assert len(list((few / "examples").glob("*.png"))) == 4


def test_no_scene_of_one_split_is_in_the_other(few: Path) -> None:
    lines = {split: (few / f"{split}_list.txt").read_text().split() for split in ("train", "val")}
    assert [len(names) for names in lines.values()] == [60, 120]
    contents = [{(few / name).read_bytes() for name in names if name.endswith("png")} for names in lines.values()]
    assert not contents[0] & contents[1]
    assert len(contents[0]) == 30


def test_without_scikit_learn_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(DependencyError, match=r"pip install 'paddleprune\[demo\]'"):
        scenes.write_scenes(tmp_path)
