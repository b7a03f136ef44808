"""Which images there are, and the class of each; every mistake found here names its file and line."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from paddleprune.errors import DataError
from paddleprune.vision.lists import (
    IMAGE_SUFFIXES,
    Item,
    Listed,
    files_in,
    listed,
    path_and_word,
    read_list,
    sub_folders,
)

_FORM = "path number"


@dataclass(frozen=True)
class LabelledImage(Item):
    """An image and the number of its class."""

    label: int


def read_items(file_list: Path, data_dir: Path, classes: int) -> Listed[LabelledImage]:
    """The images of a list of `path number` lines (blank lines are skipped).

    Raises:
        DataError: the list can't be read or is empty, a line isn't of that form, its number is no class,
            or its image does not exist.
    """
    return read_list(file_list, _FORM, partial(_item, data_dir=data_dir, classes=classes))


def class_numbers(items: Sequence[LabelledImage], classes: int) -> Sequence[int]:
    """The class of every image; those of a list come from its words alone, no file is looked at.

    Raises:
        DataError: a line isn't of the form `path number`, or its number is no class.
    """
    if not isinstance(items, Listed):
        return [item.label for item in items]
    known, numbers = dict[bytes, int](), array("l")
    for line in items.raw_lines():
        words = line.rsplit(None, 1)
        label = known.get(words[-1]) if len(words) == 2 else None
        if label is None:
            origin = items.origin(len(numbers))
            label = known[words[-1]] = _name_and_label(line.decode(), origin, classes)[1]
        numbers.append(label)
    return numbers


def scan_folders(data_dir: Path) -> tuple[tuple[str, ...], tuple[LabelledImage, ...]]:
    """The classes and images of a folder that has one sub-folder for each class, both sorted by name.

    Raises:
        DataError: there is no such folder, it has no sub-folder, or one of them has no image.
    """
    if not data_dir.is_dir():
        raise DataError(f"data folder {data_dir} does not exist")
    folders = sub_folders(data_dir)
    if not folders:
        raise DataError(f"{data_dir} has no sub-folders; make one for each class, or give file_list and label_list")
    items: list[LabelledImage] = []
    for label, folder in enumerate(folders):
        images = files_in(folder, IMAGE_SUFFIXES)
        if not images:
            raise DataError(f"class folder {folder} has no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
        items += [LabelledImage(image, f"class folder {folder.name}", label) for image in images]
    return tuple(folder.name for folder in folders), tuple(items)


def _item(line: str, origin: str, data_dir: Path, classes: int) -> LabelledImage:
    name, label = _name_and_label(line, origin, classes)
    return LabelledImage(listed(data_dir, name, "image", origin), origin, label)


def _name_and_label(line: str, origin: str, classes: int) -> tuple[str, int]:
    name, number = path_and_word(line, origin, _FORM)
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", number):
        raise DataError(f"{origin}: the label must be a whole number, got {number[:60]!r}")
    label = int(number)
    if not 0 <= label < classes:
        raise DataError(f"{origin}: label {label} is out of range, there are {classes} classes (0 to {classes - 1})")
    return name, label
