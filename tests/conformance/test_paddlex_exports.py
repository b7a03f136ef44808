"""Every built-in family, pruned at random, is proved as a model folder of PaddleX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from checkpoints import write_checkpoint
from families import known

import paddleprune

SMALL: dict[str, dict[str, Any]] = {
    "classification": {"num_classes": 7, "scale": 0.25, "width": 8},
    "segmentation": {"num_classes": 3, "input_size": 64, "scale": 0.25, "width": 4, "depth": 2, "head_width": 16},
    "detection": {"num_classes": 2, "input_size": (49, 71), "scale": 0.125, "proposals": 12},
}
STAND_INS = {"classification": "ResNet50", "segmentation": "PP-LiteSeg-T", "detection": "YOLOv3-DarkNet53"}
FAMILIES = [(task, info) for task in SMALL for info in paddleprune.families(task).values()]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "info"), [pytest.param(t, i, id=f"{t}-{i.name}") for t, i in FAMILIES])
def test_a_pruned_family_is_the_same_for_paddlex(task: str, info: Any, tmp_path: Path) -> None:
    options = known(info, SMALL[task])
    if "input_size" not in options:
        least, most = info.options.input_sides
        options["input_size"] = min(max(32, least), most or 10_000)
    checkpoint = write_checkpoint(tmp_path / "it", task, info.name, options, pruned=True)
    paddleprune.export(checkpoint, save_dir=tmp_path / "out", format="paddlex", model_name=STAND_INS[task])
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    for proof in filter(None, (record["proof"], record["choice"])):
        assert proof["probe"]["differences"]
        assert max(proof["probe"]["differences"].values()) <= proof["tolerance"]
