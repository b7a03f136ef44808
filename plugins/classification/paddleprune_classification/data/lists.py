"""Which images there are, and the class of each; every mistake found here names its file and line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from paddleprune.errors import DataError
from paddleprune.vision.lists import IMAGE_SUFFIXES, Item, listed, path_and_word, read_list, sub_folders, visible

_FORM = "path number"


@dataclass(frozen=True)
class LabelledImage(Item):
    """An image and the number of its class."""

    label: int


def read_items(file_list: Path, data_dir: Path, classes: int) -> tuple[LabelledImage, ...]:
    """The images of a list of `path number` lines (blank lines are skipped).

    Raises:
        DataError: the list can't be read or is empty, a line isn't of that form, its number is no class,
            or its image does not exist.
    """
    return read_list(file_list, _FORM, lambda line, origin: _item(line, origin, data_dir, classes))


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
        images = [f for f in visible(folder) if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file()]
        if not images:
            raise DataError(f"class folder {folder} has no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
        items += [LabelledImage(image, f"class folder {folder.name}", label) for image in images]
    return tuple(folder.name for folder in folders), tuple(items)


def _item(line: str, origin: str, data_dir: Path, classes: int) -> LabelledImage:
    name, number = path_and_word(line, origin, _FORM)
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", number):
        raise DataError(f"{origin}: the label must be a whole number, got {number[:60]!r}")
    label = int(number)
    if not 0 <= label < classes:
        raise DataError(f"{origin}: label {label} is out of range, there are {classes} classes (0 to {classes - 1})")
    return LabelledImage(listed(data_dir, name, "image", origin), origin, label)
