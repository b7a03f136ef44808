"""A small real data set: noisy pictures of shapes, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

CLASSES = ("circle", "square", "stripes")


def draw(kind: str, generator: np.random.Generator) -> np.ndarray:
    """One noisy picture of a shape: [32, 32, 3], uint8."""
    image = generator.integers(0, 60, (32, 32, 3), dtype=np.uint8)
    x, y = (int(v) for v in generator.integers(10, 22, 2))
    colour = tuple(int(v) for v in generator.integers(140, 255, 3))
    if kind == "circle":
        cv2.circle(image, (x, y), 8, colour, -1)
    elif kind == "square":
        cv2.rectangle(image, (x - 7, y - 7), (x + 7, y + 7), colour, -1)
    else:
        image[y % 4 :: 4] = colour
    return image


def write_images(folder: Path, classes: Sequence[str] = CLASSES) -> None:
    """`train/` and `val/`, a sub-folder a class."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 16), ("val", 8)):
        for kind in classes:
            (folder / split / kind).mkdir(parents=True)
            for i in range(count):
                cv2.imwrite(str(folder / split / kind / f"{i}.png"), draw(kind.split()[0], generator))
