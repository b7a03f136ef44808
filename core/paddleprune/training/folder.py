"""A folder that is replaced whole: what was there stays until the new one is complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paddleprune.errors import SaveError
from paddleprune.files import saving, sync_folder


def _sibling(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}")


def existing(folder: Path) -> Path:
    """Where the folder's content is now: a process killed while it swapped may have left it beside."""
    if folder.exists() or not folder.name:  # such as `.`, which has no name
        return folder
    previous = _sibling(folder, "previous")
    return previous if previous.exists() else folder


@contextmanager
def replacing(folder: Path, mark: str) -> Iterator[Path]:
    """Yield an empty folder to fill; on success it takes `folder`'s place, on any error it vanishes.

    Args:
        folder: what to replace, or create.
        mark: a file that shows that an existing folder is ours to replace.

    Raises:
        SaveError: the disk is full, the place can't be written, or the folder there holds something else.
    """
    fresh, previous = _sibling(folder, "new"), _sibling(folder, "previous")
    with saving(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _check_ours(folder, mark)
        _put_back(folder)
        for left_over in (fresh, previous):
            if left_over.exists():
                shutil.rmtree(left_over)
        try:
            fresh.mkdir()
            yield fresh
            _swap(fresh, folder, previous)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            _put_back(folder)
            raise
        shutil.rmtree(previous, ignore_errors=True)


def _swap(fresh: Path, folder: Path, previous: Path) -> None:
    sync_folder(fresh)
    if folder.exists():
        folder.rename(previous)
    fresh.rename(folder)
    sync_folder(folder.parent)


def _put_back(folder: Path) -> None:
    if existing(folder) != folder:
        existing(folder).rename(folder)


def _check_ours(folder: Path, mark: str) -> None:
    if folder.exists() and not (folder / mark).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SaveError(f"{folder} holds something that is not a checkpoint; choose another place to save to")


def write_synced(path: Path, content: bytes) -> None:
    """Write a file inside a folder that `replacing` yielded."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
