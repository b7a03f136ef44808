"""Real data that needs no download: scikit-learn's handwritten digits, placed on its photographs.

Each scene is a part of a photograph with some digits on it; the mask says which pixels a digit covers. Digits and
parts of photographs of the evaluation scenes are on no training scene.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
_EXAMPLES = 4
"""Evaluation scenes that are drawn."""


def scenes_demo(directory: Path) -> Demo:
    """Write scenes to `directory` and say how a thin U-Net learns them in minutes on two CPU cores.

    Raises:
        DependencyError: scikit-learn is not installed.
        SaveError: a file can't be written.
    """
    write_scenes(directory)
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


def write_scenes(directory: Path) -> None:
    """`images/*.png`, `masks/*.png`, `train_list.txt`, `val_list.txt`, `labels.txt` and `examples/*.png`."""
    from paddleprune.vision.scraps import backdrop, load_digits, load_photographs, png

    digits, photographs = load_digits(_KINDS), load_photographs()
    for split, count in _SCENES.items():
        evaluation = split == "val"
        ours, lines = digits.of_split(evaluation), []
        for number in range(count):
            rng = np.random.default_rng((evaluation, number))
            scene, mask = _scene(ours.images, ours.numbers, backdrop(photographs, _SIZE, evaluation, rng), rng)
            names = [f"{folder}/{split}_{number:04d}.png" for folder in ("images", "masks")]
            for name, pixels in zip(names, (scene, mask), strict=True):
                write_bytes(directory / name, png(pixels))
            lines.append(" ".join(names) + "\n")
            if evaluation and number < _EXAMPLES:
                write_bytes(directory / "examples" / f"{number}.png", png(scene))
        write_text(directory / f"{split}_list.txt", "".join(lines))
    write_text(directory / "labels.txt", "".join(f"{label}\n" for label in ("background", *range(_KINDS))))


def _scene(digits: Array, numbers: Array, backdrop: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A digit in a bright colour, another one where it doesn't cover the first, and what is where."""
    from paddleprune.vision.scraps import INK, enlarged, paint

    scene, mask = backdrop.astype(np.float32), np.zeros(backdrop.shape[:2], np.uint8)
    for index in rng.integers(0, len(digits), rng.integers(1, _MOST + 1)):
        side = int(rng.integers(*_SIDES))
        ink = enlarged(digits[index], side)
        top, left = (int(corner) for corner in rng.integers(0, _SIZE - side + 1, 2))
        there = mask[top : top + side, left : left + side]
        if there[ink >= INK].any():
            continue
        paint(scene, ink, (top, left), rng.uniform(170, 255, 3))
        there[ink >= INK] = numbers[index] + 1
    return np.rint(scene).astype(np.uint8), mask


def _data(directory: Path, split: str) -> SegmentationData:
    return SegmentationData(
        data_dir=directory,
        file_list=directory / f"{split}_list.txt",
        label_list=directory / "labels.txt",
        transforms=(Resize(target_size=_SIZE), Normalize()),
    )
