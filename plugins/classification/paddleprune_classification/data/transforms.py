"""The steps of `transform_specs`, on images [H, W, C] (RGB or grey, uint8 until Normalize)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import TypeAlias

import cv2
import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.specs import Contract, Split
from paddleprune.vision.distort import distort
from paddleprune.vision.pixels import bearable, carrying_out
from paddleprune_classification import transform_specs as spec

Rng: TypeAlias = np.random.Generator
_MARGIN = 256 / 224


def preprocess(image: Array, steps: Sequence[Contract], rng: Rng) -> Array:
    """All steps in order: [H, W, C] uint8 to [C, H', W'] float32."""
    for step in steps:
        with carrying_out(step):
            image = apply(step, image, rng)
    return np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)


def default_transforms(split: Split, size: tuple[int, int], channels: int) -> tuple[Contract, ...]:
    """The usual steps for ImageNet-like photographs, at a model's input size."""
    normalize = spec.Normalize() if channels == 3 else spec.Normalize(mean=(0.449,), std=(0.226,))
    if split == "train":
        return spec.RandomCrop(crop_size=size), spec.RandomHorizontalFlip(), normalize
    if size[0] == size[1]:
        resize: Contract = spec.ResizeByShort(short_size=round(size[0] * _MARGIN))
    else:
        resize = spec.Resize(target_size=(round(size[0] * _MARGIN), round(size[1] * _MARGIN)))
    return resize, spec.CenterCrop(crop_size=size), normalize


@singledispatch
def apply(step: Contract, image: Array, rng: Rng) -> Array:
    """One step. Every random choice is drawn from `rng`."""
    raise TypeError(f"{type(step).__name__} is no transform")


@apply.register
def _(step: spec.RandomCrop, image: Array, rng: Rng) -> Array:
    height, width = image.shape[:2]
    aspect = np.sqrt(rng.uniform(step.lower_ratio, step.upper_ratio))
    # The largest share of the area that a part of this aspect can have and still fit in.
    largest = min(1.0, width / height / aspect**2, height / width * aspect**2)
    share = rng.uniform(min(step.lower_scale, largest), largest)
    side = np.sqrt(height * width * share)
    h, w = (max(1, min(limit, round(value))) for limit, value in ((height, side / aspect), (width, side * aspect)))
    top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    return _resized(image[top : top + h, left : left + w], step.crop_size)


@apply.register
def _(step: spec.CenterCrop, image: Array, rng: Rng) -> Array:
    (height, width), (h, w) = image.shape[:2], step.crop_size
    if h > height or w > width:
        raise DataError(f"CenterCrop of {h}x{w} is larger than the image, {height}x{width}; resize it first")
    top, left = (height - h) // 2, (width - w) // 2
    return image[top : top + h, left : left + w]


@apply.register
def _(step: spec.RandomHorizontalFlip, image: Array, rng: Rng) -> Array:
    return image[:, ::-1] if rng.random() < step.prob else image


@apply.register
def _(step: spec.RandomVerticalFlip, image: Array, rng: Rng) -> Array:
    return image[::-1] if rng.random() < step.prob else image


@apply.register
def _(step: spec.RandomRotate, image: Array, rng: Rng) -> Array:
    angle, wanted = rng.uniform(-step.rotate_range, step.rotate_range), rng.random() < step.prob
    if not wanted:
        return image
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    turned: Array = cv2.warpAffine(
        np.ascontiguousarray(image), matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    return turned.reshape(image.shape)


@apply.register
def _(step: spec.RandomDistort, image: Array, rng: Rng) -> Array:
    return distort(step, image, rng)


@apply.register
def _(step: spec.ResizeByShort, image: Array, rng: Rng) -> Array:
    height, width = image.shape[:2]
    factor = step.short_size / min(height, width)
    if step.max_size > 0:
        factor = min(factor, step.max_size / max(height, width))
    return _resized(image, (max(1, round(height * factor)), max(1, round(width * factor))))


@apply.register
def _(step: spec.Resize, image: Array, rng: Rng) -> Array:
    return _resized(image, step.target_size)


@apply.register
def _(step: spec.Normalize, image: Array, rng: Rng) -> Array:
    channels = image.shape[2]
    if max(len(step.mean), len(step.std)) > channels:
        raise DataError(f"Normalize has values for 3 channels, but the image has {channels}")
    mean, std = np.array(step.mean, np.float32), np.array(step.std, np.float32)
    normalized: Array = (image.astype(np.float32) / 255 - mean) / std
    return normalized


def _resized(image: Array, size: tuple[int, int]) -> Array:
    height, width = bearable(size)
    if image.shape[:2] == (height, width):
        return image
    resized: Array = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_LINEAR)
    return resized.reshape(height, width, image.shape[2])  # OpenCV drops the axis of a lone channel
