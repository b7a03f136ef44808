"""Real files: images and masks written by OpenCV, read by the plugin's own decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from images import write

LABELS = ("ground", "disc", "box")


def draw(seed: int, size: tuple[int, int] = (32, 48), channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A dark noisy image with a bright disc and a brighter box, and its mask, in which some pixels are ignored."""
    random = np.random.default_rng(seed)
    image, mask = random.integers(0, 60, (*size, channels)).astype(np.uint8), np.zeros(size, np.uint8)
    rows, columns = np.mgrid[: size[0], : size[1]]
    y, x, top, left = random.integers(8, size[0] - 8, 4)
    mask[(rows - y) ** 2 + (columns - x) ** 2 < 49] = 1
    mask[top : top + 7, left + 8 : left + 18] = 2
    for number, level in ((1, 130), (2, 220)):
        image[mask == number] = level + random.integers(-20, 20, ((mask == number).sum(), channels))
    mask[0] = 255
    return image, mask


def write_folder(folder: Path, train: int = 3, val: int = 2, size: tuple[int, int] = (32, 48)) -> Path:
    """The layout that `--data` takes."""
    for split, count, first in (("train", train, 0), ("val", val, 100)):
        lines = []
        for number in range(count):
            image, mask = draw(first + number, size)
            write(folder / f"images/{split}_{number}.png", image)
            write(folder / f"masks/{split}_{number}.png", mask)
            lines.append(f"images/{split}_{number}.png masks/{split}_{number}.png\n")
        (folder / f"{split}_list.txt").write_text("".join(lines))
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return folder
