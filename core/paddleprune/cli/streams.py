"""What a command prints goes to stdout, and nothing else does: native code writes there whenever it likes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STDOUT, _STDERR = 1, 2


@contextmanager
def clean_stdout() -> Iterator[None]:
    """`sys.stdout` goes where it went; what libraries write to the file descriptor behind it goes to stderr."""
    before = sys.stdout
    if not _is_file_descriptor(before, _STDOUT) or not _is_open(_STDERR):
        yield
        return
    before.flush()
    kept = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    out = open(  # noqa: SIM115 (closed below)
        kept, "w", encoding=before.encoding, errors=before.errors, buffering=1 if os.isatty(kept) else -1, closefd=False
    )
    sys.stdout = out
    try:
        yield
    finally:
        with suppress(OSError):  # the disk is full, or nobody reads any more; whoever wrote has said so
            sys.stdout.flush()
        sys.stdout = before
        os.dup2(kept, _STDOUT)
        os.close(kept)


def _is_file_descriptor(stream: object, number: int) -> bool:
    try:
        return stream is not None and stream.fileno() == number  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
