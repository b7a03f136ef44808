"""A small data set that needs no download: noisy pictures of shapes, in a folder for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paddleprune.files import write_bytes
from paddleprune.interfaces import Array

_SIDE, _RADIUS = 64, 16
KINDS = ("circle", "square", "stripes")


def write_shapes(directory: Path, kinds: Sequence[str] = KINDS[:2], train: int = 16, val: int = 4) -> dict[str, Any]:
    """Write `train/<class>/<index>.png` and `val/<class>/<index>.png`, 64x64 in colours; the same each time.

    Args:
        directory: an empty folder.
        kinds: the classes, of `KINDS`.
        train: pictures of each class to train on.
        val: pictures of each class for evaluation.

    Returns:
        Settings of `train` that suit them.

    Raises:
        SaveError: a file can't be written.
    """
    from paddleprune.vision.scraps import png

    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        for kind in kinds:
            for number in range(count):
                write_bytes(directory / split / kind / f"{number}.png", png(_picture(kind, rng)))
    options = {"input_size": _SIDE, "scale": 0.5}
    return {"model": "mobilenet_v2", "options": options, "num_epochs": 3, "train_batch_size": 16}


def _picture(kind: str, rng: np.random.Generator) -> Array:
    """A shape in a bright colour somewhere on noise: [64, 64, 3], uint8."""
    image = rng.integers(0, 60, (_SIDE, _SIDE, 3), dtype=np.uint8)
    middle = rng.integers(_RADIUS, _SIDE - _RADIUS, (2, 1, 1))
    away = np.abs(np.mgrid[:_SIDE, :_SIDE] - middle)  # rows and columns from the middle
    inside = {
        "circle": np.hypot(*away) <= _RADIUS,
        "square": away.max(0) < _RADIUS,
        "stripes": away[0] % 8 < 2,
    }
    image[inside[kind]] = rng.integers(140, 255, 3)
    return image
