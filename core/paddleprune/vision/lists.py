"""Text files that list something, one thing in each line; every mistake found here names its file and line."""

from __future__ import annotations

import stat
from pathlib import Path

from paddleprune.errors import DataError
from paddleprune.files import read_bytes


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of a text file; `what` it is, for the message.

    Raises:
        DataError: the file can't be read, or isn't UTF-8 text.
    """
    try:
        return read_bytes(path, DataError, what).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{what} {path} is not UTF-8 text (byte {error.start})") from error


def listed(data_dir: Path, name: str, what: str, origin: str) -> Path:
    """The file that a list names, relative to `data_dir`; an absolute name, or one that leads out, stands as it is.

    Args:
        data_dir: the folder of the data.
        name: what the list says.
        what: what the file is, for the message.
        origin: where the list says it, for the message.

    Raises:
        DataError: there is no such file, or it is none.
    """
    path = data_dir / name.strip()
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError) as error:  # a name that is too long, or holds a null character
        absent = isinstance(error, (FileNotFoundError, NotADirectoryError))
        why = "does not exist" if absent else f"can't be used: {getattr(error, 'strerror', None) or error}"
        raise DataError(f"{origin}: {what} {path} {why}") from error
    if not stat.S_ISREG(kind):
        raise DataError(f"{origin}: {what} {path} is not a file")
    return path


def visible(folder: Path) -> list[Path]:
    """What a folder holds, by name; hidden files and folders (`.ipynb_checkpoints`, `._001.png`) are passed over.

    Raises:
        DataError: it can't be read.
    """
    try:
        return sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda path: path.name)
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror}") from error


def read_labels(label_list: Path) -> tuple[str, ...]:
    """The names of the classes, one in each line.

    Raises:
        DataError: the file can't be read, names no class, leaves a line empty or repeats a name.
    """
    lines = read_lines(label_list, "label list")
    while lines and not lines[-1].strip():
        lines.pop()
    names = [line.strip() for line in lines]
    if not names:
        raise DataError(f"label list {label_list} is empty; write one class name in each line")
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if not name:
            raise DataError(f"{label_list}:{number + 1} is empty, but its line number is the number of a class")
        if first.setdefault(name, number) != number:
            raise DataError(f"{label_list}:{number + 1}: class {name[:60]!r} is already in line {first[name] + 1}")
    return tuple(names)
