"""The demo's data is real: decoded from PNG files through lists that it wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddleprune.errors import DependencyError
from paddleprune.registry import Registry
from paddleprune.settings import TrainSettings
from paddleprune.testing import TaskConformance

pytest.importorskip("sklearn")


class TestSegmentation(TaskConformance):
    task = "segmentation"


def test_scenes_come_in_list_layout(tmp_path: Path) -> None:
    registry = Registry.discover()
    demo = registry.demo("segmentation", tmp_path)
    options = registry.options("segmentation", demo.family, demo.options)
    train = registry.build_dataset("segmentation", demo.train_dataset, "train", options)
    val = registry.build_dataset("segmentation", demo.eval_dataset, "eval", options)
    assert list(train.labels) == list(val.labels)
    assert len(train.labels) == options.num_classes
    lines = {split: (tmp_path / f"{split}_list.txt").read_text().split() for split in ("train", "val")}
    assert not set(lines["train"]) & set(lines["val"])
    counts = np.zeros(options.num_classes, np.int64)
    for index in range(len(val)):
        (pixels,), mask = val[index]
        assert pixels.shape == options.input_shapes()[0]
        counts += np.bincount(mask.ravel(), minlength=options.num_classes)
    assert counts[1:].min() > 0.2 * counts[1:].max()  # every digit occurs
    assert 0.7 < counts[0] / counts.sum() < 0.95
    for settings in (demo.settings, {**demo.settings, **demo.retrain_settings}):
        TrainSettings.model_validate({name: value for name, value in settings.items() if name != "loss"})


def test_without_scikit_learn_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    from paddleprune_segmentation.demo import scenes_demo

    with pytest.raises(DependencyError, match=r"pip install 'paddleprune\[demo\]'"):
        scenes_demo(tmp_path)
