"""Real data that needs no download: scikit-learn's handwritten digits, placed on its photographs.

Each scene is a part of a photograph with some digits on it; the mask says which pixels a digit covers. Digits and
parts of photographs of the evaluation scenes are on no training scene.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddleprune.dependencies import require
from paddleprune.files import write_bytes, write_text
from paddleprune.interfaces import Array
from paddleprune.specs import Demo
from paddleprune_segmentation.config import SegmentationData
from paddleprune_segmentation.transform_specs import Normalize, Resize

_SIZE = 48
_SCENES = {"train": 2400, "val": 200}
_KINDS = 5
"""Of digits: 0 to 4."""
_MOST = 2
"""Digits on each scene."""
_SIDES = (20, 29)
"""Of a digit, in pixels: at least, and less than."""
_BRIGHTEST = 16
_INK = 0.35
"""A pixel belongs to the digit if it is at least so bright."""
_EDGE = 0.2
"""How much brighter what is opaque is than what is transparent."""
_EXAMPLES = 4
"""Evaluation scenes that are drawn."""
_EVERY = 5
"""One digit in so many is for evaluation, as is that share of each photograph, at its right."""


def scenes_demo(directory: Path) -> Demo:
    """Write scenes to `directory` and say how a thin U-Net learns them in minutes on two CPU cores.

    Raises:
        DependencyError: scikit-learn is not installed.
        SaveError: a file can't be written.
    """
    write_scenes(directory, *_source())
    return Demo(
        family="unet",
        options={"num_classes": _KINDS + 1, "input_size": _SIZE, "width": 8},
        train_dataset=_data(directory, "train"),
        eval_dataset=_data(directory, "val"),
        settings={
            "num_epochs": 6,
            "train_batch_size": 8,
            "eval_batch_size": 50,
            "learning_rate": 0.08,
            "lr_schedule": "cosine",
            "warmup_steps": 50,
            "warmup_start_lr": 0.01,
            "log_interval_steps": 50,
            "loss": {"dice": 1.0},
        },
        retrain_settings={"num_epochs": 6},
        examples=directory / "examples",
    )


def write_scenes(directory: Path, digits: Array, numbers: Array, photographs: list[Array]) -> None:
    """`images/*.png`, `masks/*.png`, `train_list.txt`, `val_list.txt`, `labels.txt` and `examples/*.png`.

    Digits are [N, 8, 8] with values 0 to 16, photographs [H, W, 3], RGB, uint8.
    """
    for split, count in _SCENES.items():
        ours = (np.arange(len(digits)) % _EVERY == 0) == (split == "val")
        lines = []
        for number in range(count):
            rng = np.random.default_rng((split == "val", number))
            scene, mask = _scene(digits[ours], numbers[ours], _backdrop(photographs, split, rng), rng)
            names = [f"{folder}/{split}_{number:04d}.png" for folder in ("images", "masks")]
            for name, pixels in zip(names, (scene[:, :, ::-1], mask), strict=True):
                write_bytes(directory / name, _png(pixels))
            lines.append(" ".join(names) + "\n")
            if split == "val" and number < _EXAMPLES:
                write_bytes(directory / "examples" / f"{number}.png", _png(scene[:, :, ::-1]))
        write_text(directory / f"{split}_list.txt", "".join(lines))
    write_text(directory / "labels.txt", "".join(f"{label}\n" for label in ("background", *range(_KINDS))))


def _scene(digits: Array, numbers: Array, backdrop: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A digit in a bright colour, another one where it doesn't cover the first, and what is where."""
    import cv2

    scene, mask = backdrop.astype(np.float32), np.zeros(backdrop.shape[:2], np.uint8)
    for index in rng.integers(0, len(digits), rng.integers(1, _MOST + 1)):
        side = int(rng.integers(*_SIDES))
        ink = cv2.resize(digits[index] / _BRIGHTEST, (side, side), interpolation=cv2.INTER_CUBIC)
        top, left = rng.integers(0, _SIZE - side + 1, 2)
        part = slice(top, top + side), slice(left, left + side)
        if mask[part][ink >= _INK].any():
            continue
        colour = rng.uniform(170, 255, 3)
        opacity = ((ink - _INK) / _EDGE + 0.5).clip(0, 1)[:, :, np.newaxis]
        scene[part] += (opacity * (colour - scene[part])).astype(np.float32)
        mask[part][ink >= _INK] = numbers[index] + 1
    return np.rint(scene).astype(np.uint8), mask


def _backdrop(photographs: list[Array], split: str, rng: np.random.Generator) -> Array:
    """A part of a photograph, darkened."""
    photograph = photographs[rng.integers(len(photographs))]
    border = photograph.shape[1] * (_EVERY - 1) // _EVERY
    half = photograph[:, border:] if split == "val" else photograph[:, :border]
    top, left = (int(rng.integers(0, now - _SIZE + 1)) for now in half.shape[:2])
    part: Array = half[top : top + _SIZE, left : left + _SIZE] // 2
    return part


def _data(directory: Path, split: str) -> SegmentationData:
    return SegmentationData(
        data_dir=directory,
        file_list=directory / f"{split}_list.txt",
        label_list=directory / "labels.txt",
        transforms=(Resize(target_size=_SIZE), Normalize()),
    )


def _source() -> tuple[Array, Array, list[Array]]:
    datasets = require("sklearn.datasets", "the demo")
    digits = datasets.load_digits(n_class=_KINDS)
    return digits.images, digits.target, datasets.load_sample_images().images


def _png(pixels: Array) -> bytes:
    import cv2

    content: bytes = cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes()
    return content
