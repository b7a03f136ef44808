"""Arithmetic on images [H, W, C] of any number of channels and kind of pixel, and on masks [H, W]."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.vision.headers import MOST_PIXELS

_RANGE = {"uint8": 255.0, "uint16": 65535.0}
_MOST_CHANNELS = 4
"""More than so many at once OpenCV can't turn."""


def full_range(image: Array) -> float:
    """The largest value that a pixel can have; 1 for real numbers."""
    return _RANGE.get(image.dtype.name, 1.0)


def rounded(values: Array, like: Array) -> Array:
    """Real numbers as pixels of the same kind as `like`."""
    if like.dtype.name not in _RANGE:
        return values.astype(like.dtype)
    return np.clip(np.rint(values), 0, full_range(like)).astype(like.dtype)


@contextmanager
def carrying_out(step: str) -> Iterator[None]:
    """Turn a step that OpenCV or the memory can't bear into one clear line.

    Raises:
        DataError: naming the step.
    """
    try:
        yield
    except (cv2.error, MemoryError) as error:
        why = str(getattr(error, "err", "")) or "not enough memory"
        raise DataError(f"{step} can't be carried out on this image ({why})") from error


def bearable(size: tuple[int, int]) -> tuple[int, int]:
    """A height and width that a step asks for.

    Raises:
        DataError: they are more than `MOST_PIXELS`.
    """
    if size[0] * size[1] > MOST_PIXELS:
        raise DataError(f"it would become {size[0]}x{size[1]}; at most {MOST_PIXELS:,} pixels are made")
    return size


def resized_image(image: Array, size: tuple[int, int], interpolation: int = cv2.INTER_LINEAR) -> Array:
    """At another height and width, interpolated."""
    if image.shape[:2] == size:
        return image
    result: Array = cv2.resize(np.ascontiguousarray(image), size[::-1], interpolation=interpolation)
    return result.reshape(*size, image.shape[2])  # OpenCV drops the axis of a lone channel


def resized_mask(mask: Array, size: tuple[int, int]) -> Array:
    """At another height and width: the class of the nearest pixel."""
    result: Array = cv2.resize(np.ascontiguousarray(mask), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return result


def turned(image: Array, degrees: float, fill: float | None) -> Array:
    """Turned about the middle within its frame, interpolated; corners have a value, or else reflect the image."""
    matrix, size = _turn(image, degrees), image.shape[1::-1]
    border = {"borderMode": cv2.BORDER_REFLECT_101} if fill is None else {"borderValue": (fill,) * 4}
    parts = []
    for start in range(0, image.shape[2], _MOST_CHANNELS):
        part = np.ascontiguousarray(image[:, :, start : start + _MOST_CHANNELS])
        parts.append(cv2.warpAffine(part, matrix, size, flags=cv2.INTER_LINEAR, **border))
    return np.dstack(parts)


def turned_mask(mask: Array, degrees: float, fill: int) -> Array:
    """Turned alike; corners have a value."""
    result: Array = cv2.warpAffine(
        np.ascontiguousarray(mask), _turn(mask, degrees), mask.shape[::-1], flags=cv2.INTER_NEAREST, borderValue=fill
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
    """What to fill new pixels with: a value, or the middle of the range of the others."""
    if value is not None:
        return value
    middle = full_range(image) / 2
    return middle if image.dtype.kind == "f" else float(int(middle))


def for_channels(values: tuple[float, ...], image: Array, what: str) -> Array:
    """Values as [1] or [C], float32; `what` has them, for the message.

    Raises:
        DataError: there are neither one nor as many as the image has channels.
    """
    if len(values) not in (1, image.shape[2]):
        raise DataError(f"{what} has values for {len(values)} channels, but the image has {image.shape[2]}")
    return np.array(values, np.float32)


def normalized(image: Array, mean: Array, std: Array, largest: float) -> Array:
    """(pixels / the largest value - mean) / std: [H, W, C], float32."""
    return np.asarray((image.astype(np.float32) / np.float32(largest) - mean) / std)


def _turn(image: Array, degrees: float) -> Array:
    height, width = image.shape[:2]
    matrix: Array = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return matrix
