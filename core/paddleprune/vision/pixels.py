"""Pixels as numbers, whatever their kind."""

from __future__ import annotations

import numpy as np

from paddleprune.interfaces import Array

_RANGE = {"uint8": 255.0, "uint16": 65535.0}


def full_range(image: Array) -> float:
    """The largest value that a pixel can have; 1 for real numbers."""
    return _RANGE.get(image.dtype.name, 1.0)


def rounded(values: Array, like: Array) -> Array:
    """Real numbers as pixels of the same kind as `like`."""
    if like.dtype.name not in _RANGE:
        return values.astype(like.dtype)
    return np.clip(np.rint(values), 0, full_range(like)).astype(like.dtype)
