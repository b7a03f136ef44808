"""A small data set that needs no download: a bright stripe on noise, that is a road."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from paddleprune.files import write_bytes
from paddleprune.vision.data import write_lists

_HEIGHT, _WIDTH, _ROAD = 80, 96, 24
_PICTURES = {"train": 8, "val": 2}


def write_roads(directory: Path) -> dict[str, Any]:
    """Write `images/*.png`, `masks/*.png`, `train_list.txt`, `val_list.txt` and `labels.txt`; the same each time.

    Returns:
        Settings of `train` that suit them.

    Raises:
        SaveError: a file can't be written.
    """
    rng, numbers = np.random.default_rng(0), count()
    lines = {split: [_road(directory, next(numbers), rng) for _ in range(n)] for split, n in _PICTURES.items()}
    write_lists(directory, lines, ("ground", "road"))
    return {"model": "unet", "options": {"input_size": 64, "width": 8}, "num_epochs": 2, "train_batch_size": 4}


def _road(directory: Path, number: int, rng: np.random.Generator) -> str:
    """Write a picture, [80, 96, 3], and its mask, [80, 96]; the line of the list that names them."""
    from paddleprune.vision.scraps import png

    image, mask = rng.integers(0, 60, (_HEIGHT, _WIDTH, 3), dtype=np.uint8), np.zeros((_HEIGHT, _WIDTH), np.uint8)
    left = rng.integers(0, _WIDTH - _ROAD)
    image[:, left : left + _ROAD], mask[:, left : left + _ROAD] = 200, 1
    names = [f"{folder}/{number}.png" for folder in ("images", "masks")]
    for name, pixels in zip(names, (image, mask), strict=True):
        write_bytes(directory / name, png(pixels))
    return " ".join(names)
