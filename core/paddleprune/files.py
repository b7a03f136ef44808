"""Writing files that are whole or absent, and JSON that pydantic has checked."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
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
    except OSError as cause:
        raise error(unreadable(path, cause)) from cause
    except ValidationError as cause:
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__).lower()
        said = "the file is empty" if path.stat().st_size == 0 else first_problem(cause)
        raise error(f"{path} is not a readable {kind}: {said}") from cause
