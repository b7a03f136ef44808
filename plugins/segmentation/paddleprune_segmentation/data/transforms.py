"""The steps of `transform_specs`, on an image [H, W, C] and its mask [H, W]."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import TypeAlias

import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.specs import Contract, Split
from paddleprune.vision.distort import distort
from paddleprune.vision.pixels import bearable, carrying_out, full_range
from paddleprune.vision.specs import RandomDistort
from paddleprune_segmentation import transform_specs as spec
from paddleprune_segmentation.data import pixels

Rng: TypeAlias = np.random.Generator
Both: TypeAlias = tuple[Array, Array]
"""An image [H, W, C], and the class of each of its pixels [H, W], uint8."""


def preprocess(image: Array, mask: Array, steps: Sequence[Contract], rng: Rng) -> Both:
    """All steps in order: the image comes out as [C, H', W'], float32, the mask as [H', W']."""
    for step in steps:
        with carrying_out(step):
            image, mask = apply(step, image, mask, rng)
    return np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32), np.ascontiguousarray(mask)


def default_transforms(split: Split, size: tuple[int, int]) -> tuple[Contract, ...]:
    """The usual steps, at a model's input size; images keep their proportions where that is a square."""
    fit: Contract = spec.ResizeByLong(long_size=size[0]) if size[0] == size[1] else spec.Resize(target_size=size)
    if split == "eval":
        return fit, spec.Padding(target_size=size), spec.Normalize()
    scaling = spec.ResizeStepScaling(min_scale_factor=0.5, max_scale_factor=2.0, scale_step_size=0.25)
    return fit, scaling, spec.RandomPaddingCrop(crop_size=size), spec.RandomHorizontalFlip(), spec.Normalize()


def sizes(steps: Sequence[Contract], size: tuple[int, int]) -> list[tuple[int, int]]:
    """The height and width that an image of some size has before each of the steps that are the same each time."""
    found = []
    for step in steps:
        found.append(size)
        if isinstance(step, spec.Resize):
            size = step.target_size
        elif isinstance(step, spec.ResizeByLong):
            size = _by_long(size, step.long_size)
        elif isinstance(step, spec.Padding):
            size = max(size[0], step.target_size[0]), max(size[1], step.target_size[1])
    return found


@singledispatch
def apply(step: Contract, image: Array, mask: Array, rng: Rng) -> Both:
    """One step. Every random choice is drawn from `rng`."""
    raise TypeError(f"{type(step).__name__} is no transform")


@apply.register
def _(step: spec.RandomHorizontalFlip, image: Array, mask: Array, rng: Rng) -> Both:
    return (image[:, ::-1], mask[:, ::-1]) if rng.random() < step.prob else (image, mask)


@apply.register
def _(step: spec.RandomVerticalFlip, image: Array, mask: Array, rng: Rng) -> Both:
    return (image[::-1], mask[::-1]) if rng.random() < step.prob else (image, mask)


@apply.register
def _(step: spec.Resize, image: Array, mask: Array, rng: Rng) -> Both:
    return _resized(image, mask, step.target_size)


@apply.register
def _(step: spec.ResizeByLong, image: Array, mask: Array, rng: Rng) -> Both:
    return _resized(image, mask, _by_long(mask.shape, step.long_size))


@apply.register
def _(step: spec.ResizeRangeScaling, image: Array, mask: Array, rng: Rng) -> Both:
    long = int(rng.integers(step.min_value, step.max_value + 1))
    return _resized(image, mask, _by_long(mask.shape, long))


@apply.register
def _(step: spec.ResizeStepScaling, image: Array, mask: Array, rng: Rng) -> Both:
    low, high, between = step.min_scale_factor, step.max_scale_factor, step.scale_step_size
    if between:
        factor = low + between * int(rng.integers(0, int((high - low) / between + 1e-6) + 1))
    else:
        factor = float(rng.uniform(low, high))
    return _resized(image, mask, _scaled(mask.shape, factor))


@apply.register
def _(step: spec.RandomPaddingCrop, image: Array, mask: Array, rng: Rng) -> Both:
    height, width = step.crop_size
    image, mask = _padded(image, mask, step.crop_size, step.im_padding_value)
    top, left = (
        int(rng.integers(0, now - wanted + 1)) for now, wanted in zip(mask.shape, (height, width), strict=True)
    )
    part = slice(top, top + height), slice(left, left + width)
    return image[part], mask[part]


@apply.register
def _(step: spec.Padding, image: Array, mask: Array, rng: Rng) -> Both:
    (height, width), (h, w) = mask.shape, step.target_size
    if height > h or width > w:
        raise DataError(f"Padding to {h}x{w} can't hold the image, {height}x{width}; resize it first")
    return _padded(image, mask, step.target_size, step.im_padding_value)


@apply.register
def _(step: RandomDistort, image: Array, mask: Array, rng: Rng) -> Both:
    return distort(step, image, rng), mask


@apply.register
def _(step: spec.RandomBlur, image: Array, mask: Array, rng: Rng) -> Both:
    wanted, window = rng.random() < step.prob, 2 * int(rng.integers(1, 5)) + 1
    return (pixels.blurred(image, window), mask) if wanted else (image, mask)


@apply.register
def _(step: spec.RandomRotate, image: Array, mask: Array, rng: Rng) -> Both:
    degrees, wanted = rng.uniform(-step.rotate_range, step.rotate_range), rng.random() < step.prob
    if not wanted:
        return image, mask
    return pixels.rotated(image, degrees, step.im_padding_value), pixels.rotated_mask(mask, degrees)


@apply.register
def _(step: spec.Normalize, image: Array, mask: Array, rng: Rng) -> Both:
    for values in (step.mean, step.std):
        if len(values) not in (1, image.shape[2]):
            raise DataError(f"Normalize has values for {len(values)} channels, but the image has {image.shape[2]}")
    largest = full_range(image) if step.max_val is None else step.max_val
    mean, std = np.array(step.mean, np.float32), np.array(step.std, np.float32)
    return (image.astype(np.float32) / np.float32(largest) - mean) / std, mask


def _by_long(size: tuple[int, ...], long: int) -> tuple[int, int]:
    return _scaled(size, long / max(size))


def _scaled(size: tuple[int, ...], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _resized(image: Array, mask: Array, size: tuple[int, int]) -> Both:
    size = bearable(size)
    return pixels.resized(image, size), pixels.resized_mask(mask, size)


def _padded(image: Array, mask: Array, size: tuple[int, int], value: float | None) -> Both:
    size = bearable(size)
    return pixels.padded(image, size, value), pixels.padded_mask(mask, size)
