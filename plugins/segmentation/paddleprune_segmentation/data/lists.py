"""Which images and masks there are; every mistake found here names its file and line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paddleprune.errors import DataError
from paddleprune.vision.lists import listed, read_lines
from paddleprune.vision.lists import read_labels as labels_of
from paddleprune_segmentation.config import IGNORED


@dataclass(frozen=True)
class Pair:
    """An image, its mask, and where the user named them, for messages."""

    image: Path
    mask: Path
    origin: str


def read_labels(label_list: Path) -> tuple[str, ...]:
    """The names of the classes, one in each line.

    Raises:
        DataError: the file can't be read, names no class or too many, leaves a line empty or repeats a name.
    """
    names = labels_of(label_list)
    if len(names) > IGNORED:
        raise DataError(f"label list {label_list} names {len(names)} classes; an 8-bit mask can hold {IGNORED}")
    return names


def read_pairs(file_list: Path, data_dir: Path) -> tuple[Pair, ...]:
    """The pairs of a list of `image mask` lines (blank lines are skipped).

    Raises:
        DataError: the list can't be read or is empty, a line isn't of that form, or a file does not exist.
    """
    lines = enumerate(read_lines(file_list, "file list"), start=1)
    pairs = tuple(_pair(line, f"{file_list}:{n}", data_dir) for n, line in lines if line.strip())
    if not pairs:
        raise DataError(f"file list {file_list} is empty; write `image mask` in each line")
    return pairs


def _pair(line: str, origin: str, data_dir: Path) -> Pair:
    names = line.strip().split("\t" if "\t" in line.strip() else None)
    if len(names) != 2:
        raise DataError(
            f"{origin}: expected `image mask`, got {line.strip()[:200]!r}; separate names that hold spaces by a tab"
        )
    return Pair(listed(data_dir, names[0], "image", origin), listed(data_dir, names[1], "mask", origin), origin)
