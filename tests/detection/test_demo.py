"""The demo's recipe: its data flows into its model, and its settings are settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from demos import opened

from paddleprune.testing import TaskConformance
from paddleprune_detection.reading import head_of

pytest.importorskip("sklearn")


class TestDetection(TaskConformance):
    task = "detection"


def test_the_recipe_suits_its_data(tmp_path: Path) -> None:
    demo, options, train, _ = opened("detection", tmp_path)
    assert demo.examples is not None
    assert len(list(demo.examples.glob("*.png"))) > 1
    anchors = head_of(options).anchors.reshape(-1, 2)  # type: ignore[attr-defined]
    _, (objects, _, _) = train[0]
    for box in objects.boxes:
        size = box[2:] - box[:2]
        shared = np.minimum(size, anchors).prod(1)
        assert (shared / (size.prod() + anchors.prod(1) - shared)).max() > 0.5
