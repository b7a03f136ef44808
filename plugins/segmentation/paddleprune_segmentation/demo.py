"""Real data that needs no download: scikit-learn's handwritten digits, placed on its photographs.

Each scene is a part of a photograph with some digits on it; the mask says which pixels a digit covers. Digits and
parts of photographs of the evaluation scenes are on no training scene.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paddleprune.files import write_bytes
from paddleprune.interfaces import Array
from paddleprune.specs import Demo
from paddleprune.vision.data import write_lists
from paddleprune_segmentation.config import SegmentationData
from paddleprune_segmentation.transform_specs import Normalize, Resize

if TYPE_CHECKING:
    from paddleprune.vision.scraps import Ground

_SIZE = 48
_SCENES = {"train": 2400, "val": 200}
_KINDS = 5
"""Of digits: 0 to 4."""
_MOST = 2
"""Digits on each scene."""
_SIDES = (20, 29)
"""Of a digit, in pixels: at least, and less than."""
_STEPS = {"transforms": (Resize(target_size=_SIZE), Normalize())}


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
        train_dataset=SegmentationData.from_directory(directory, "train").model_copy(update=_STEPS),
        eval_dataset=SegmentationData.from_directory(directory, "eval").model_copy(update=_STEPS),
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
    from paddleprune.vision.scraps import as_pixels, grounds, png

    lines: dict[str, list[str]] = {split: [] for split in _SCENES}
    for ground in grounds(_SCENES, _SIZE, _KINDS):
        mask = _place_digits(ground)
        image, names = as_pixels(ground.image), [f"{folder}/{ground.name}.png" for folder in ("images", "masks")]
        for name, pixels in zip(names, (image, mask), strict=True):
            write_bytes(directory / name, png(pixels))
        lines[ground.name.partition("_")[0]].append(" ".join(names))
        if ground.example:
            write_bytes(directory / "examples" / f"{int(ground.name.partition('_')[2])}.png", png(image))
    write_lists(directory, lines, ("background", *range(_KINDS)))


def _place_digits(ground: Ground) -> Array:
    """A digit in a bright colour, another one where it doesn't cover the first; what is where."""
    from paddleprune.vision.scraps import INK, paint, throw

    mask = np.zeros((_SIZE, _SIZE), np.uint8)
    for digit in throw(ground, _MOST, _SIDES):
        there, inked = mask[digit.part], digit.ink >= INK
        if there[inked].any():
            continue
        paint(ground.image, digit.ink, digit.corner, ground.rng.uniform(170, 255, 3))
        there[inked] = digit.number + 1
    return mask
