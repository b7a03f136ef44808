"""Writing files that are whole or absent, and JSON that pydantic has checked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from paddleprune.errors import PaddlePruneError, SaveError

Model = TypeVar("Model", bound=BaseModel)


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write (disk full, no permission) into one clear line."""
    try:
        yield
    except OSError as error:
        raise SaveError(
            f"cannot save {path}: {error.strerror or error}; what was there before is untouched. "
            "Free some space or choose another place, and run the same command again"
        ) from error


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


def read_json(path: Path, model: type[Model], error: type[PaddlePruneError]) -> Model:
    """Read a file that `write_json` wrote.

    Raises:
        error: the file is missing, isn't JSON, or doesn't have the model's fields; the message names which.
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError as cause:
        raise error(f"{path} does not exist") from cause
    except OSError as cause:
        raise error(f"cannot read {path}: {cause.strerror}") from cause
    except ValidationError as cause:
        raise error(f"{path} is not a readable {model.__name__}: {first_problem(cause)}") from cause


def first_problem(error: ValidationError) -> str:
    """The first of pydantic's complaints, on one line: `field: what is wrong (got value)`."""
    problem = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    value = repr(problem.get("input"))
    message = f"{place}: {problem['msg']}" if place else problem["msg"]
    return message if len(value) > 60 else f"{message} (got {value})"
