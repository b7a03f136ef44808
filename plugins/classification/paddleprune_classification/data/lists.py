"""Which images there are, and the class of each; every mistake found here names its file and line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from paddleprune.errors import DataError
from paddleprune.vision.lists import listed, read_lines, visible

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class Item:
    """One image: its file, its class, and where the user named it, for messages."""

    path: Path
    label: int
    origin: str


def read_items(file_list: Path, data_dir: Path, classes: int) -> tuple[Item, ...]:
    """The images of a list of `path number` lines (blank lines are skipped).

    Raises:
        DataError: the list can't be read or is empty, a line isn't of that form, its number is no class,
            or its image does not exist.
    """
    lines = enumerate(read_lines(file_list, "file list"), start=1)
    items = tuple(_item(line, f"{file_list}:{n}", data_dir, classes) for n, line in lines if line.strip())
    if not items:
        raise DataError(f"file list {file_list} is empty; write `path number` in each line")
    return items


def scan_folders(data_dir: Path) -> tuple[tuple[str, ...], tuple[Item, ...]]:
    """The classes and images of a folder that has one sub-folder for each class, both sorted by name.

    Raises:
        DataError: there is no such folder, it has no sub-folder, or one of them has no image.
    """
    if not data_dir.is_dir():
        raise DataError(f"data folder {data_dir} does not exist")
    folders = class_folders(data_dir)
    if not folders:
        raise DataError(f"{data_dir} has no sub-folders; make one for each class, or give file_list and label_list")
    items: list[Item] = []
    for label, folder in enumerate(folders):
        images = [f for f in visible(folder) if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file()]
        if not images:
            raise DataError(f"class folder {folder} has no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
        items += [Item(image, label, f"class folder {folder.name}") for image in images]
    return tuple(folder.name for folder in folders), tuple(items)


def class_folders(folder: Path) -> list[Path]:
    """The sub-folders that are classes, by name."""
    return [entry for entry in visible(folder) if entry.is_dir()]


def _item(line: str, origin: str, data_dir: Path, classes: int) -> Item:
    try:
        name, number = line.rsplit(maxsplit=1)
    except ValueError:
        raise DataError(f"{origin}: expected `path number`, got {line.strip()[:200]!r}") from None
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", number):
        raise DataError(f"{origin}: the label must be a whole number, got {number[:60]!r}")
    label = int(number)
    if not 0 <= label < classes:
        raise DataError(f"{origin}: label {label} is out of range, there are {classes} classes (0 to {classes - 1})")
    return Item(listed(data_dir, name, "image", origin), label, origin)
