"""Pixels as numbers, whatever their kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.specs import Contract
from paddleprune.vision.headers import MOST_PIXELS

_RANGE = {"uint8": 255.0, "uint16": 65535.0}


def full_range(image: Array) -> float:
    """The largest value that a pixel can have; 1 for real numbers."""
    return _RANGE.get(image.dtype.name, 1.0)


def rounded(values: Array, like: Array) -> Array:
    """Real numbers as pixels of the same kind as `like`."""
    if like.dtype.name not in _RANGE:
        return values.astype(like.dtype)
    return np.clip(np.rint(values), 0, full_range(like)).astype(like.dtype)


@contextmanager
def carrying_out(step: Contract) -> Iterator[None]:
    """Turn a step that OpenCV or the memory can't bear into one clear line.

    Raises:
        DataError: naming the step.
    """
    try:
        yield
    except (cv2.error, MemoryError) as error:
        why = str(getattr(error, "err", "")) or "not enough memory"
        raise DataError(f"{type(step).__name__} can't be carried out on this image ({why})") from error


def bearable(size: tuple[int, int]) -> tuple[int, int]:
    """A height and width that a step asks for.

    Raises:
        DataError: they are more than `MOST_PIXELS`.
    """
    if size[0] * size[1] > MOST_PIXELS:
        raise DataError(f"it would become {size[0]}x{size[1]}; at most {MOST_PIXELS:,} pixels are made")
    return size
