"""Exported detectors that take pixels and give objects say what the predictor says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from checkpoints import write_checkpoint

import paddleprune
from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array
from paddleprune.runtimes.modes import MODES, Mode

SIZE = 96
LIMITS = {"num_classes": 3, "input_size": SIZE, "score_threshold": 1e-3, "max_objects": 20}
FAMILIES = {"yolov3_mobilenet_v1": {"scale": 0.125}, "ppyoloe_s": {}}
STEPS = [{"name": "Resize", "target_size": [SIZE, SIZE]}, {"name": "Normalize"}]


@pytest.fixture(scope="module", params=["yolov3_mobilenet_v1", pytest.param("ppyoloe_s", marks=pytest.mark.slow)])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    family = request.param
    options = {**LIMITS, **FAMILIES[family]}
    return write_checkpoint(tmp_path_factory.mktemp(family) / "it", "detection", family, options, STEPS, pruned=True)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of the model's own size, so that no resize is needed."""
    file = tmp_path_factory.mktemp("picture") / "image.png"
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    cv2.imwrite(str(file), cv2.GaussianBlur(pixels, (15, 15), 0))
    return file


def said_by(folder: Path, mode: Mode, fed: Array) -> list[Array]:
    session = MODES[mode].load(folder / "model", 1)
    session.feed({"input_0": fed})
    session.run()
    return session.outputs()


@pytest.mark.parametrize(
    ("format", "modes"), [("paddle", ["onednn_off", "onednn_on"]), ("onnx", ["onnxruntime", "openvino"])]
)
def test_pixels_in_and_objects_out(
    format: str, modes: list[Mode], checkpoint: Path, picture: Path, tmp_path: Path
) -> None:
    paddleprune.export(checkpoint, save_dir=tmp_path, format=format, with_preprocessing=True, with_nms=True)
    record = json.loads((tmp_path / "export.json").read_text())
    assert record["inputs"] == [{"name": "input_0", "shape": [None, SIZE, SIZE, 3], "dtype": "uint8"}]
    assert [output["dtype"] for output in record["outputs"]] == ["float32", "int32"]
    assert record["choice"]["probe"]["samples"] == 3
    assert (record["labels"], record["transforms"][-1]["name"]) == (["class 0", "class 1", "class 2"], "Normalize")
    (wanted,) = paddleprune.predict(checkpoint, picture)
    pixels = cv2.imread(str(picture))[None, :, :, ::-1]
    both = np.concatenate([pixels, pixels[:, ::-1]])
    for mode in modes:
        if not MODES[mode].installed:
            continue
        objects, counts = said_by(tmp_path, mode, both)
        assert counts.sum() == len(objects)
        mine = objects[: counts[0]]
        check(mine[np.argsort(-mine[:, 1], kind="stable")], wanted["objects"])
        objects, counts = said_by(tmp_path, mode, pixels)
        assert counts.tolist() == [len(objects)] == [len(wanted["objects"])]


def check(rows: Array, objects: list[dict[str, Any]]) -> None:
    assert len(rows) == len(objects) > 3
    for row, entry in zip(rows, objects, strict=True):
        left, top, width, height = entry["bbox"]
        assert (int(row[0]), entry["score"]) == (entry["label_id"], pytest.approx(float(row[1]), abs=1e-4))
        shown = np.clip(row[2:], 0, SIZE)  # a predictor's boxes end at the image's edge
        np.testing.assert_allclose(shown, [left, top, left + width, top + height], atol=0.05)


def test_only_detectors_have_boxes(tmp_path: Path) -> None:
    options = {"num_classes": 3, "input_size": 32, "scale": 0.25}
    it = write_checkpoint(tmp_path / "it", "classification", "mobilenet_v2", options)
    with pytest.raises(ConfigError, match=r"the task 'classification' has no boxes.*leave nms out"):
        paddleprune.export(it, save_dir=tmp_path / "out", with_nms=True)
    with pytest.raises(ConfigError, match="with_nms goes with format=paddle or onnx, not with paddlex"):
        paddleprune.export(it, save_dir=tmp_path / "out", format="paddlex", with_nms=True)
    assert not (tmp_path / "out" / "export.json").exists()
