"""One process at a time writes a table or a folder. The kernel lets go of a dead process's lock."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paddleprune.errors import ConfigError
from paddleprune.files import saving

_BUSY = (errno.EACCES, errno.EAGAIN)


@contextmanager
def locked(file: Path, what: Path, way_out: str) -> Iterator[None]:
    """While open, no other process gets past here with the same file.

    Args:
        file: the lock, which is removed afterwards, and with it folders that were made for it and are empty still.
            One that a killed process left behind holds nobody up.
        what: what it guards, for the message.
        way_out: what the person can do who finds it taken, besides waiting.

    Raises:
        ConfigError: another process is at it.
        SaveError: the place can't be written.
    """
    made = [folder for folder in file.parents if not folder.exists()]
    with saving(file):
        while True:
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except FileNotFoundError:
                continue  # its last owner has just removed the folder
            _take(handle, what, way_out)
            if _is(handle, file):
                break
            os.close(handle)  # its last owner has just removed it
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
    try:
        yield
    finally:
        file.unlink(missing_ok=True)  # first, so that nobody takes what is about to go
        os.close(handle)
        with suppress(OSError):
            for folder in made:
                folder.rmdir()


def _take(handle: int, what: Path, way_out: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _BUSY:
            os.close(handle)
            raise
        owner = os.pread(handle, 20, 0).decode(errors="replace")
        os.close(handle)
        process = f" (process {owner})" if owner.isdigit() else ""
        raise ConfigError(f"another command is writing {what}{process}; wait for it to end, or {way_out}") from None


def _is(handle: int, file: Path) -> bool:
    """Is the open file the one that has the name?"""
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False
