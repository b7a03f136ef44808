"""A detector's folder for PaddleX says what its steps do, and gives objects; what can't be said is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from checkpoints import write_checkpoint

import paddleprune
from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array
from paddleprune.runtimes.inference import create_predictor

SMALL = {"num_classes": 3, "input_size": 96, "scale": 0.125, "score_threshold": 1e-4, "max_objects": 30}
FAMILY, SIZED, OTHER = "yolov3_mobilenet_v1", "YOLOv3-DarkNet53", "PP-YOLOE_plus-S"
RESIZE = {"name": "Resize", "target_size": [64, 90], "interp": "CUBIC"}
STRIDE = {"name": "Padding", "coarsest_stride": 32}
LETTERBOX = {"name": "Letterbox", "target_size": [96, 96]}
NORMALIZE = {"name": "Normalize"}
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def exported(folder: Path, *steps: dict[str, Any], name: str | None = SIZED, pruned: bool = False) -> Any:
    """What `inference.yml` says of a checkpoint with such steps."""
    checkpoint = write_checkpoint(folder / "it", "detection", FAMILY, SMALL, steps, pruned=pruned)
    paddleprune.export(checkpoint, save_dir=folder / "out", format="paddlex", model_name=name)
    return yaml.safe_load((folder / "out" / "inference.yml").read_text())


def objects(folder: Path, image: Array, size: tuple[int, int], interpolation: int) -> Array:
    """What the file finds on an image [H, W, 3] BGR, fed as PaddleX does: [M, 6], the best first."""
    pixels = cv2.resize(image[:, :, ::-1], size[::-1], interpolation=interpolation).astype(np.float32) / 255
    fed = {
        "image": ((pixels - MEAN) / STD).astype(np.float32).transpose(2, 0, 1)[None],
        "scale_factor": np.array([[size[0] / image.shape[0], size[1] / image.shape[1]]], np.float32),
        "im_shape": np.array([size], np.float32),
    }
    predictor = create_predictor(folder / "out" / "inference")
    for name in predictor.get_input_names():
        predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(fed[name]))
    predictor.run()
    found, counts = (predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names())
    assert counts.tolist() == [len(found)]
    return np.asarray(found[np.argsort(-found[:, 1])])


@pytest.mark.parametrize(
    ("steps", "name", "size", "resize"),
    [
        ([RESIZE, STRIDE, NORMALIZE], OTHER, (64, 90), {"target_size": [64, 90], "keep_ratio": False, "interp": 2}),
        ([LETTERBOX, NORMALIZE], SIZED, (64, 96), {"target_size": [96, 96], "keep_ratio": True, "interp": 1}),
    ],
)
def test_padding_decoding_and_suppression_are_in_the_file(
    steps: list[dict[str, Any]], name: str, size: tuple[int, int], resize: dict[str, Any], tmp_path: Path
) -> None:
    config = exported(tmp_path, *steps, name=name, pruned=True)
    assert config["Global"] == {"model_name": name}
    assert config["Preprocess"][0] == {"type": "Resize", **resize}
    assert [op["type"] for op in config["Preprocess"]] == ["Resize", "NormalizeImage", "Permute"]
    assert config["Preprocess"][1]["mean"] == MEAN.tolist()
    assert (config["label_list"], config["draw_threshold"]) == (["class 0", "class 1", "class 2"], 0.5)
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    names = ["image", "scale_factor", *(["im_shape"] if name == SIZED else [])]
    assert [given["name"] for given in record["inputs"]] == names
    assert record["choice"]["probe"]["differences"].keys() == {output["name"] for output in record["outputs"]}

    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (128, 192, 3), np.uint8), (15, 15), 0)
    cv2.imwrite(str(tmp_path / "image.png"), image)
    (said,) = paddleprune.predict(tmp_path / "it", tmp_path / "image.png")
    got = objects(tmp_path, image, size, list(range(5))[resize["interp"]])
    assert len(got) == len(said["objects"]) > 5
    for row, entry in zip(got, said["objects"], strict=True):
        left, top, width, height = entry["bbox"]
        box = np.clip(row[2:], 0, [192, 128, 192, 128])
        assert row[1] == pytest.approx(entry["score"], rel=1e-3)
        assert int(row[0]) == entry["label_id"]
        np.testing.assert_allclose(box, [left, top, left + width, top + height], atol=0.1)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([NORMALIZE], "doesn't resize"),
        ([STRIDE, RESIZE, NORMALIZE], "pads before it resizes"),
        ([{"name": "ResizeByShort"}, STRIDE, NORMALIZE], "makes images of many sizes: ResizeByShort"),
        ([{**LETTERBOX, "target_size": [64, 96]}, NORMALIZE], "has a Letterbox of 64x96, which isn't square"),
        ([{**LETTERBOX, "target_size": [90, 90]}, STRIDE, NORMALIZE], "pads twice"),
        ([{**RESIZE, "interp": "RANDOM"}, NORMALIZE], "is random in Resize"),
    ],
)
def test_steps_that_paddlex_lacks_are_refused_by_name(steps: list[dict[str, Any]], why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=why):
        exported(tmp_path, *steps)


def test_a_family_that_paddlex_lacks_asks_for_a_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"PaddleX has no model like the family '{FAMILY}'"):
        exported(tmp_path, RESIZE, STRIDE, NORMALIZE, name=None)
