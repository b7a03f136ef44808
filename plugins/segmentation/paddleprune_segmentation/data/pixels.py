"""Arithmetic on images [H, W, C] of any number of channels, and on masks [H, W]."""

from __future__ import annotations

import cv2
import numpy as np

from paddleprune.interfaces import Array
from paddleprune.vision.pixels import full_range
from paddleprune_segmentation.config import IGNORED

_MOST_CHANNELS = 4
"""More than so many at once OpenCV can't rotate."""


def resized(image: Array, size: tuple[int, int]) -> Array:
    """An image at another height and width, interpolated."""
    if image.shape[:2] == size:
        return image
    result: Array = cv2.resize(np.ascontiguousarray(image), size[::-1], interpolation=cv2.INTER_LINEAR)
    return result.reshape(*size, image.shape[2])  # OpenCV drops the axis of a lone channel


def resized_mask(mask: Array, size: tuple[int, int]) -> Array:
    """A mask at another height and width: the class of the nearest pixel."""
    if mask.shape == size:
        return mask
    result: Array = cv2.resize(np.ascontiguousarray(mask), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return result


def padded(image: Array, size: tuple[int, int], value: float | None) -> Array:
    """At least this high and wide, by pixels at the bottom and at the right."""
    below, right = (max(0, wanted - now) for wanted, now in zip(size, image.shape[:2], strict=True))
    return np.pad(image, ((0, below), (0, right), (0, 0)), constant_values=filling(image, value))


def padded_mask(mask: Array, size: tuple[int, int]) -> Array:
    """A mask, padded alike with pixels that are ignored."""
    below, right = (max(0, wanted - now) for wanted, now in zip(size, mask.shape, strict=True))
    return np.pad(mask, ((0, below), (0, right)), constant_values=IGNORED)


def rotated(image: Array, degrees: float, value: float | None) -> Array:
    """Turned about the middle within its frame, interpolated."""
    matrix, size = _turn(image, degrees), image.shape[1::-1]
    parts = []
    for start in range(0, image.shape[2], _MOST_CHANNELS):
        part = np.ascontiguousarray(image[:, :, start : start + _MOST_CHANNELS])
        fill = (filling(image, value),) * 4
        parts.append(cv2.warpAffine(part, matrix, size, flags=cv2.INTER_LINEAR, borderValue=fill))
    return np.dstack(parts)


def rotated_mask(mask: Array, degrees: float) -> Array:
    """A mask, turned alike; the corners are ignored."""
    result: Array = cv2.warpAffine(
        np.ascontiguousarray(mask),
        _turn(mask, degrees),
        mask.shape[::-1],
        flags=cv2.INTER_NEAREST,
        borderValue=IGNORED,
    )
    return result


def blurred(image: Array, window: int) -> Array:
    """Smoothed by a Gaussian in a window of so many pixels (an odd number)."""
    result: Array = cv2.GaussianBlur(np.ascontiguousarray(image), (window, window), 0)
    return result.reshape(image.shape)


def visible(image: Array) -> Array:
    """What a person can see of an image: itself, or of bands the first three, or the first: [H, W, 3], uint8."""
    if image.shape[2] == 3 and image.dtype == np.uint8:
        return image
    bands = image[:, :, :3] if image.shape[2] > 2 else image[:, :, :1].repeat(3, axis=2)
    low, high = float(bands.min()), float(bands.max())
    return np.rint((bands - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)


def filling(image: Array, value: float | None) -> float:
    """What to pad an image with: a value, or the middle of the range of its pixels."""
    if value is not None:
        return value
    middle = full_range(image) / 2
    return middle if image.dtype.kind == "f" else float(int(middle))


def _turn(image: Array, degrees: float) -> Array:
    height, width = image.shape[:2]
    matrix: Array = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return matrix
