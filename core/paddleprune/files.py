"""Writing files that are whole or absent, and JSON that pydantic has checked."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from paddleprune.errors import ConfigError, PaddlePruneError, SaveError
from paddleprune.problems import first_problem

Model = TypeVar("Model", bound=BaseModel)


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path as a user wrote it: `~` is the home folder.

    Raises:
        ConfigError: it is no path, or names the home folder of somebody whom this machine doesn't know.
    """
    try:
        return Path(path).expanduser()
    except TypeError:
        raise ConfigError(f"a path must be text or a pathlib.Path, not {path!r}") from None
    except RuntimeError:
        raise ConfigError(f"{path} names a home folder that this machine doesn't have") from None


def unreadable(path: Path, error: OSError, what: str = "") -> str:
    """Why a file can't be read, on one line; `what` it is."""
    named = f"{what} {path}".strip()
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return f"{named} does not exist"
    if isinstance(error, IsADirectoryError):
        return f"{named} is a folder, and a file was expected"
    return f"cannot read {named}: {(error.strerror or str(error)).lower()}"


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write (disk full, no permission) into one clear line."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        way_out = "free some space, and run the same command again" if full else "choose another place"
        kept = "what was there before is untouched"
        raise SaveError(f"cannot save {path}: {_reason(error)}; {kept}; {way_out}") from error


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A place for files that belong into a folder, which isn't made if they don't get there.

    Raises:
        SaveError: the disk is full, or the place can't be written.
    """
    new = not folder.exists()
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=folder, prefix=".making.") as place:
                yield Path(place)
        except BaseException:
            if new:
                with suppress(OSError):
                    folder.rmdir()
            raise


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A place for all that a folder is to hold, which gets it when it is complete.

    Raises:
        ConfigError: the folder holds something, or is a file.
        SaveError: as `making` does.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is {'not empty' if folder.is_dir() else 'a file'}; choose another save_dir")
    with making(folder) as place:
        yield place
        for entry in place.iterdir():
            entry.rename(folder / entry.name)


def _reason(error: OSError) -> str:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return f"{error.filename} is a file, not a folder" if error.filename else "a file is in the way"
    return (error.strerror or str(error)).lower()


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file by new content, atomically: a reader sees the old file or the new one.

    Raises:
        SaveError: the disk is full, or the place can't be written.
    """
    temporary = path.parent / f".{path.name}.new"
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_writable(path: Path) -> None:
    """Make sure, before hours of work, that a file can be written.

    Raises:
        SaveError: a folder is there, or the place can't be written.
    """
    if path.is_dir():
        raise SaveError(f"cannot save {path}: it is a folder; give the name of a file")
    probe = path.parent / f".{path.name}.writable"
    write_bytes(probe, b"")
    probe.unlink()


def write_text(path: Path, content: str) -> None:
    """`write_bytes`, of text in UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: BaseModel | Any) -> None:
    """`write_text`, of a pydantic model or of plain data, indented."""
    if isinstance(content, BaseModel):
        write_text(path, content.model_dump_json(indent=2) + "\n")
    else:
        write_text(path, json.dumps(content, indent=2) + "\n")


def read_bytes(path: Path, error: type[PaddlePruneError], what: str = "", most: int | None = None) -> bytes:
    """The content of a regular file: a pipe or a device would keep whoever reads it waiting.

    Args:
        path: the file.
        error: what to raise.
        what: what the file is, for the message.
        most: bytes that it may have.

    Raises:
        error: it is missing, is no regular file, is too large, or can't be read.
    """
    named = f"{what} {path}".strip()
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise error(f"cannot read {named}: it is a folder")
        if not stat.S_ISREG(found.st_mode):
            raise error(f"cannot read {named}: it is a pipe or a device; give a regular file")
        if most is not None and found.st_size > most:
            raise error(f"{named} has {found.st_size:,} bytes; at most {most:,} are read")
        return path.read_bytes()
    except OSError as cause:
        raise error(unreadable(path, cause, what)) from cause
    except ValueError as cause:  # a null character in the name
        raise error(f"cannot read {named}: {cause}") from cause


def parse_json(content: bytes) -> Any:
    """Plain data out of JSON in UTF-8.

    Raises:
        ValueError: it isn't JSON, an object has a key twice, or it is nested too deeply; the message is one line.
    """
    return _decoded(content, _unrepeated)


def read_json(path: Path, model: type[Model], error: type[PaddlePruneError]) -> Model:
    """Read a JSON file that may be large.

    Raises:
        error: the file is missing, isn't JSON, has a key twice, or lacks the model's fields; the message names which.
    """
    content = read_bytes(path, error)
    named = f"{path} is not a readable {kind_of(model)}"
    if not content:
        raise error(f"{named}: the file is empty")
    try:
        found = model.model_validate_json(content)
        _decoded(content, _forgotten)
    except ValidationError as cause:
        raise error(f"{named}: {first_problem(cause)}") from cause
    except ValueError as cause:
        raise error(f"{named}: {cause}") from cause
    return found


def kind_of(model: type[BaseModel]) -> str:
    """What a person calls a file of a model: `SensitivityTable` is a sensitivity table."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__).lower()


def _decoded(content: bytes, hook: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    try:
        return json.loads(content.decode(), object_pairs_hook=hook)
    except UnicodeDecodeError as cause:
        raise ValueError(f"it is not UTF-8 text (byte {cause.start})") from cause
    except json.JSONDecodeError as cause:
        raise ValueError(f"it is not JSON: {cause.msg} in line {cause.lineno}, column {cause.colno}") from cause
    except RecursionError as cause:
        raise ValueError("it is nested too deeply") from cause


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"it has the key {repeated[:60]!r} twice; keep one of them")
    return found


def _forgotten(pairs: list[tuple[str, Any]]) -> None:
    """Look for repeated keys alone, so that a large file isn't in memory twice."""
    _unrepeated(pairs)
