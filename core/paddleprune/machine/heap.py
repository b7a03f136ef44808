"""Memory that runs of a network free and ask for again."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM, _MAP = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
_KEEP = 128 * 2**20
"""Larger blocks are weights: they are given back at once."""
_USUAL = 32 * 2**20


@contextmanager
def kept_heap() -> Iterator[None]:
    """While open, freed memory stays with the process for the next run to use.

    glibc gives every block of more than 32 MB back to the system at once, and each run of a network then spends up
    to a third of its time on getting such blocks again, page by page. Other C libraries are left as they are.
    """
    _set(_KEEP)
    try:
        yield
    finally:
        _set(_USUAL)
        release_heap()


def release_heap() -> None:
    """Give what is free now back to the system."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _set(size: int) -> None:
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_MAP, size)
        tune(_TRIM, size)
