"""A small data set that needs no download: a yellow square on noise, that is a stop sign, as VOC annotates it."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from paddleprune.files import write_bytes, write_text
from paddleprune.vision.data import write_lists
from paddleprune_detection.scenes import voc_xml

_SIDE, _SMALLEST = 64, 20
_YELLOW = (230, 200, 60)
_PICTURES = {"train": 8, "val": 2}


def write_signs(directory: Path) -> dict[str, Any]:
    """Write `images/*.png`, `boxes/*.xml`, `train_list.txt`, `val_list.txt` and `labels.txt`; the same each time.

    Returns:
        Settings of `train` that suit them.

    Raises:
        SaveError: a file can't be written.
    """
    rng, numbers = np.random.default_rng(0), count()
    lines = {split: [_sign(directory, next(numbers), rng) for _ in range(n)] for split, n in _PICTURES.items()}
    write_lists(directory, lines, ["stop"])
    return {
        "model": "yolov3_mobilenet_v1",
        "options": {"input_size": _SIDE, "scale": 0.125},
        "num_epochs": 2,
        "train_batch_size": 4,
        "learning_rate": 0.02,
    }


def _sign(directory: Path, number: int, rng: np.random.Generator) -> str:
    """Write a picture, [64, 64, 3], and its annotation; the line of the list that names them."""
    from paddleprune.vision.scraps import png

    image, side = rng.integers(0, 60, (_SIDE, _SIDE, 3), dtype=np.uint8), _SMALLEST + number
    left, top = rng.integers(0, _SIDE - side, 2).tolist()
    image[top : top + side, left : left + side] = _YELLOW
    write_bytes(directory / f"images/{number}.png", png(image))
    box = (left, top, left + side, top + side)
    write_text(directory / f"boxes/{number}.xml", voc_xml(_SIDE, [("stop", box)]))
    return f"images/{number}.png boxes/{number}.xml"
