"""Which images and masks there are; every mistake found here names its file and line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from paddleprune.errors import DataError
from paddleprune.vision.lists import Item, Listed, listed, read_list, two_paths
from paddleprune.vision.lists import read_labels as labels_of
from paddleprune.vision.values import IGNORED

_FORM = "image mask"


@dataclass(frozen=True)
class Pair(Item):
    """An image and its mask."""

    mask: Path


def read_labels(label_list: Path) -> tuple[str, ...]:
    """The names of the classes, one in each line.

    Raises:
        DataError: the file can't be read, names no class or too many, leaves a line empty or repeats a name.
    """
    names = labels_of(label_list)
    if len(names) > IGNORED:
        raise DataError(f"label list {label_list} names {len(names)} classes; an 8-bit mask can hold {IGNORED}")
    return names


def read_pairs(file_list: Path, data_dir: Path) -> Listed[Pair]:
    """The pairs of a list of `image mask` lines (blank lines are skipped).

    Raises:
        DataError: the list can't be read or is empty, a line isn't of that form, or a file does not exist.
    """
    return read_list(file_list, _FORM, partial(_pair, data_dir=data_dir))


def _pair(line: str, origin: str, data_dir: Path) -> Pair:
    image, mask = two_paths(line, origin, _FORM)
    return Pair(listed(data_dir, image, "image", origin), origin, listed(data_dir, mask, "mask", origin))
