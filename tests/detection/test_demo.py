"""The demo's recipe: its data flows into its model, and its settings are settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddleprune.registry import Registry
from paddleprune.settings import TrainSettings
from paddleprune.testing import TaskConformance
from paddleprune_detection.reading import head_of

pytest.importorskip("sklearn")


class TestDetection(TaskConformance):
    task = "detection"


def test_the_recipe_suits_its_data(tmp_path: Path) -> None:
    registry = Registry.discover()
    demo = registry.demo("detection", tmp_path)
    options = registry.options("detection", demo.family, demo.options)
    train = registry.build_dataset("detection", demo.train_dataset, "train", options)
    val = registry.build_dataset("detection", demo.eval_dataset, "eval", options)
    assert list(train.labels) == list(val.labels)
    assert len(train.labels) == options.num_classes
    assert demo.examples is not None
    assert len(list(demo.examples.glob("*.png"))) > 1
    anchors = head_of(options).anchors.reshape(-1, 2)  # type: ignore[attr-defined]
    _, (objects, _, _) = train[0]
    for box in objects.boxes:
        size = box[2:] - box[:2]
        shared = np.minimum(size, anchors).prod(1)
        assert (shared / (size.prod() + anchors.prod(1) - shared)).max() > 0.5
    for settings in (demo.settings, {**demo.settings, **demo.retrain_settings}):
        TrainSettings.model_validate({name: value for name, value in settings.items() if name != "loss"})
