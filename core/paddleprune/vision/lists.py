"""Text files that list something, one thing in each line; every mistake found here names its file and line."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from abc import ABC, abstractmethod
from array import array
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, overload

from paddleprune.errors import DataError
from paddleprune.files import read_bytes

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
CHECKED = 1000
"""Samples that are looked at when a list is opened, at most, spread evenly over it: of a short one all."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Item:
    """One sample: its image, and where the user named it, for messages. A task's own adds what it knows of it."""

    image: Path
    origin: str


class ReadLater(Sequence[_T], ABC):
    """A sequence whose items are made when they are asked for."""

    @abstractmethod
    def made(self, index: int) -> _T:
        """The item with this number."""

    @overload
    def __getitem__(self, index: int) -> _T: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[_T, ...]: ...

    def __getitem__(self, index: int | slice) -> _T | tuple[_T, ...]:
        if isinstance(index, slice):
            return tuple(self.made(i) for i in range(*index.indices(len(self))))
        return self.made(index)


class Listed(ReadLater[_T]):
    """What the lines of a list say. A line is read when it is asked for: only the text of a million is in memory.

    Args:
        file_list: a text file.
        read: (a line, its file and number) -> what it says; it can be pickled if the samples are to be.

    Raises:
        DataError: the file can't be read, or isn't UTF-8 text; later as `read` says.
    """

    def __init__(self, file_list: Path, read: Callable[[str, str], _T]) -> None:
        self._file, self._read = file_list, read
        content = read_bytes(file_list, DataError, "file list").removeprefix(BOM_UTF8)
        if b"\r" in content:
            content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"file list {file_list} is not UTF-8 text (byte {error.start})") from error
        self._content, self._starts, self._numbers = content, array("q"), array("q")
        place = 0
        for number, line in enumerate(io.BytesIO(content), start=1):
            if not line.isspace():
                self._starts.append(place)
                self._numbers.append(number)
            place += len(line)

    def __len__(self) -> int:
        return len(self._starts)

    def made(self, index: int) -> _T:
        """What a line says."""
        return self._read(self.line(index), self.origin(index))

    def line(self, index: int) -> str:
        """A line that isn't blank, as it stands."""
        start = self._starts[index]
        stop = self._content.find(b"\n", start)
        return self._content[start : None if stop < 0 else stop].decode()

    def origin(self, index: int) -> str:
        """Its file and number."""
        return f"{self._file}:{self._numbers[index]}"

    def raw_lines(self) -> Iterator[bytes]:
        """All of them, in UTF-8, for what needs no file: far faster than to read each."""
        return (line for line in io.BytesIO(self._content) if not line.isspace())

    def digest(self) -> str:
        """A hash of the text."""
        return hashlib.sha256(self._content).hexdigest()


def spread(count: int, most: int = CHECKED) -> range:
    """The numbers of at most so many samples of `count`, spread evenly."""
    return range(0, count, max(1, -(-count // most)))


def read_list(file_list: Path, form: str, read: Callable[[str, str], _T]) -> Listed[_T]:
    """What the lines of a list say; blank ones are skipped.

    All lines of a list of up to `CHECKED` are read here, of a longer one so many, spread evenly; the others when they
    are asked for.

    Args:
        file_list: a text file.
        form: what a line looks like, such as "path number", for the message.
        read: (a line, its file and number) -> what it says; it can be pickled if the samples are to be.

    Raises:
        DataError: the list can't be read or is empty, or as `read` says.
    """
    said = Listed(file_list, read)
    if not said:
        raise DataError(f"file list {file_list} is empty; write `{form}` in each line")
    for index in spread(len(said)):
        said[index]
    return said


def path_and_word(line: str, origin: str, form: str) -> tuple[str, str]:
    """A path, which may hold spaces, and the last word behind it.

    Raises:
        DataError: the line isn't of that form.
    """
    try:
        name, word = line.rsplit(maxsplit=1)
    except ValueError:
        raise DataError(f"{origin}: expected `{form}`, got {line.strip()[:200]!r}") from None
    return name, word


def two_paths(line: str, origin: str, form: str) -> tuple[str, str]:
    """Two paths, with a tab between them if one holds spaces.

    Raises:
        DataError: the line isn't of that form.
    """
    names = line.strip().split("\t" if "\t" in line.strip() else None)
    if len(names) != 2:
        raise DataError(
            f"{origin}: expected `{form}`, got {line.strip()[:200]!r}; separate names that hold spaces by a tab"
        )
    return names[0], names[1]


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


def files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files with these suffixes in a folder, by name, without those that are hidden; only links are followed.

    Raises:
        DataError: it can't be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if Path(e.name).suffix.lower() in suffixes and e.is_file()]
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror}") from error
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def sub_folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name."""
    return [entry for entry in visible(folder) if entry.is_dir()]


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
