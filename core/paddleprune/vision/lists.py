"""Text files that list something, one thing in each line; every mistake found here names its file and line."""

from __future__ import annotations

from pathlib import Path

from paddleprune.errors import DataError
from paddleprune.files import unreadable


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of a text file; `what` it is, for the message.

    Raises:
        DataError: the file can't be read, or isn't UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(unreadable(path, error, what)) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{what} {path} is not UTF-8 text (byte {error.start})") from error


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
    for number, name in enumerate(names):
        if not name:
            raise DataError(f"{label_list}:{number + 1} is empty, but its line number is the number of a class")
        if names.index(name) != number:
            raise DataError(f"{label_list}:{number + 1}: class {name!r} is already in line {names.index(name) + 1}")
    return tuple(names)
