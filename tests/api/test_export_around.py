"""Exported files that take pixels, or inputs of any size, compute what the model does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paddle
import pytest
from checkpoints import write_checkpoint
from paddle import nn

import paddleprune
from paddleprune.errors import ConfigError, GraphError
from paddleprune.interfaces import Array
from paddleprune.registry import Registry
from paddleprune.runtimes.modes import MODES, Mode
from paddleprune.training import load_model

SMALL = {"num_classes": 3, "input_size": 32}
WRITTEN_FOR: dict[str, Mode] = {"paddle": "onednn_off", "onnx": "onnxruntime"}


def given_by(folder: Path, format: str, fed: Array) -> Array:
    session = MODES[WRITTEN_FOR[format]].load(folder / "model", 1)
    session.feed({"input_0": fed})
    session.run()
    return session.outputs()[0]


@pytest.mark.parametrize("format", WRITTEN_FOR)
@pytest.mark.parametrize(
    ("task", "family", "options"),
    [
        ("classification", "mobilenet_v2", {"scale": 0.25}),
        ("segmentation", "unet", {"width": 8, "input_channels": 1}),
        ("segmentation", "unet", {"width": 8}),
    ],
)
def test_pixels_of_any_size(task: str, family: str, options: dict[str, Any], format: str, tmp_path: Path) -> None:
    it = write_checkpoint(tmp_path / "it", task, family, {**SMALL, **options}, pruned=True)
    paddleprune.export(it, save_dir=tmp_path / "out", format=format, with_preprocessing=True, dynamic=True)
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert record["inputs"] == [{"name": "input_0", "shape": [None, None, None, 3], "dtype": "uint8"}]
    assert record["proof"]["probe"]["samples"] == 6  # three at each of two sizes
    loaded = load_model(it, Registry.discover())
    loaded.layer.eval()
    last = loaded.info.transforms[-1]
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    images = pixels
    if options.get("input_channels") == 1:
        images = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] for image in pixels])
    normal = (images / 255 - np.array(last["mean"])) / np.array(last["std"])
    fed = np.ascontiguousarray(normal.transpose(0, 3, 1, 2)).astype(np.float32)
    with paddle.no_grad():
        wanted = paddle.utils.flatten(loaded.layer(paddle.to_tensor(fed)))[0].numpy()
    got = given_by(tmp_path / "out", format, pixels)
    rounded = 1e-4 if options.get("input_channels") != 1 else 0.02  # OpenCV's greys are whole numbers
    np.testing.assert_allclose(got, wanted, atol=rounded * np.abs(wanted).max())


def test_any_layer_for_any_size(tmp_path: Path) -> None:
    layer = nn.Sequential(nn.Conv2D(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2D(1), nn.Flatten())
    paddleprune.export(layer, shapes=[(3, 16, 16)], save_dir=tmp_path, dynamic=True)
    images = paddle.randn([2, 3, 20, 40])
    np.testing.assert_allclose(given_by(tmp_path, "paddle", images.numpy()), layer(images).numpy(), atol=1e-5)
    with pytest.raises(ConfigError, match="give a checkpoint, not a layer"):
        paddleprune.export(layer, shapes=[(3, 16, 16)], save_dir=tmp_path / "out", with_preprocessing=True)


def test_what_can_not_be_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    lenet = write_checkpoint(tmp_path / "lenet", "classification", "lenet", {"num_classes": 3})
    with pytest.raises(
        GraphError, match=r"one size alone: at \(1, 60, 92\) it fails .*(dimension of Input|error dim).*without dynamic"
    ):
        paddleprune.export(lenet, save_dir=tmp_path / "out", dynamic=True)
    small = {**SMALL, "input_size": 64}
    pools = write_checkpoint(tmp_path / "pools", "segmentation", "fast_scnn", small)
    with pytest.raises(
        GraphError, match=r"not supported in static graph mode \(pyramid.py, line 31\); .* is exported without dynamic"
    ):
        paddleprune.export(pools, save_dir=tmp_path / "out", dynamic=True)
    yolo = write_checkpoint(tmp_path / "yolo", "detection", "yolov3_mobilenet_v1", {**small, "scale": 0.125})
    with pytest.raises(ConfigError, match="decoded for one size of images: leave nms out, or dynamic"):
        paddleprune.export(yolo, save_dir=tmp_path / "out", dynamic=True, with_nms=True)
    open_ = write_checkpoint(tmp_path / "open", "classification", "mobilenet_v2", {**SMALL, "scale": 0.25}, [])
    with pytest.raises(ConfigError, match="preprocessing doesn't end in Normalize: export without preprocessing"):
        paddleprune.export(open_, save_dir=tmp_path / "out", with_preprocessing=True)
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())
