"""A segmenter's folder for PaddleX says what its steps do, and gives classes; what can't be said is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from checkpoints import write_checkpoint
from seg_files import draw

import paddleprune
from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array
from paddleprune.runtimes.inference import create_predictor

SMALL = {"num_classes": 3, "input_size": 48, "width": 4, "depth": 2}
LONG = {"name": "ResizeByLong", "long_size": 48}
RESIZE = {"name": "Resize", "target_size": [32, 48]}
PADDING = {"name": "Padding", "target_size": [48, 48]}
NORMALIZE = {"name": "Normalize"}


def exported(
    folder: Path, *steps: dict[str, Any], channels: int = 3, name: str | None = "PP-LiteSeg-T", pruned: bool = False
) -> Any:
    """What `inference.yml` says of a checkpoint with such steps."""
    options = {**SMALL, "input_channels": channels}
    checkpoint = write_checkpoint(folder / "it", "segmentation", "unet", options, steps, pruned=pruned)
    paddleprune.export(checkpoint, save_dir=folder / "out", format="paddlex", model_name=name)
    return yaml.safe_load((folder / "out" / "inference.yml").read_text())


def classes(folder: Path, pixels: Array) -> Array:
    """What the file gives for an image [h, w, 3] that is normalized as by default: [h, w]."""
    predictor = create_predictor(folder / "out" / "inference")
    image = (pixels.astype(np.float32) / 255 - 0.5) / 0.5
    predictor.get_input_handle("x").copy_from_cpu(np.ascontiguousarray(image.transpose(2, 0, 1)[None]))
    predictor.run()
    (found,) = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
    return np.asarray(found)


def predicted(folder: Path, image: Array) -> Array:
    cv2.imwrite(str(folder / "image.png"), image)
    (said,) = paddleprune.predict(folder / "it", folder / "image.png")
    return np.asarray(cv2.imdecode(np.frombuffer(base64.b64decode(said["mask"]), np.uint8), cv2.IMREAD_UNCHANGED))


@pytest.mark.parametrize(("channels", "value"), [(3, None), (1, 200)])
def test_padding_is_in_the_file(channels: int, value: float | None, tmp_path: Path) -> None:
    """An image that only needs padding gets the predictor's classes; that of grey levels has all channels alike."""
    config = exported(tmp_path, LONG, {**PADDING, "im_padding_value": value}, NORMALIZE, channels=channels, pruned=True)
    assert config == {
        "Global": {"model_name": "PP-LiteSeg-T"},
        "Deploy": {
            "transforms": [
                {"type": "Resize", "target_size": [48, 48], "keep_ratio": True, "size_divisor": None},
                {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3},
            ]
        },
    }
    image = draw(3, (48, 32))[0]
    if channels == 1:
        image = image[:, :, :1].repeat(3, axis=2)
    got, expected = classes(tmp_path, image[:, :, ::-1]), predicted(tmp_path, image)
    assert (got.shape, got.dtype) == ((48, 32), np.int32)
    assert (got == expected).mean() > 0.995  # but for ties
    assert len(np.unique(expected)) > 1
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert record["inputs"][0]["shape"] == [None, 3, None, None]
    for part in ("proof", "choice"):
        assert max(record[part]["probe"]["differences"].values()) <= record[part]["tolerance"]


def test_without_padding_the_size_is_the_file_s(tmp_path: Path) -> None:
    config = exported(tmp_path, RESIZE, {**NORMALIZE, "max_val": 510.0, "mean": [0.25], "std": [0.5]})
    assert config["Deploy"]["transforms"] == [
        {"type": "Resize", "target_size": [48, 32], "keep_ratio": False, "size_divisor": None},
        {"type": "Normalize", "mean": [0.5] * 3, "std": [1.0] * 3},
    ]
    (given,) = json.loads((tmp_path / "out" / "export.json").read_text())["inputs"]
    assert given["shape"] == [None, 3, 32, 48]


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([NORMALIZE], "doesn't resize"),
        ([PADDING, LONG, NORMALIZE], "pads before it resizes"),
        ([LONG, NORMALIZE], "makes images of many sizes: ResizeByLong without Padding"),
        ([{**LONG, "long_size": 64}, PADDING, NORMALIZE], "resizes to more than the 48x48 of its Padding"),
        ([RESIZE, PADDING, PADDING, NORMALIZE], "is more than a resize and a padding"),
    ],
)
def test_steps_that_paddlex_lacks_are_refused_by_name(steps: list[dict[str, Any]], why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=why):
        exported(tmp_path, *steps)


def test_bands_and_families_that_paddlex_lacks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="makes 4 channels; PaddleX reads colours"):
        exported(tmp_path, RESIZE, NORMALIZE, channels=4)
    with pytest.raises(ConfigError, match="PaddleX has no model like the family 'unet'"):
        exported(tmp_path, RESIZE, NORMALIZE, name=None)
