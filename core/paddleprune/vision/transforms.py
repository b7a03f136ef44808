"""What the steps of `specs` do to a picture: [H, W, C], any kind of pixel until Normalize."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import TypeAlias

import numpy as np

from paddleprune.errors import DataError
from paddleprune.specs import Contract
from paddleprune.vision import specs as spec
from paddleprune.vision.distort import distort
from paddleprune.vision.headers import MOST_PIXELS
from paddleprune.vision.picture import (
    INTERPOLATIONS,
    Picture,
    blurry,
    cut_out,
    inside,
    mirrored,
    placed,
    resized,
    rotated,
    upside_down,
)
from paddleprune.vision.pixels import bearable, carrying_out, filling, for_channels, full_range, normalized
from paddleprune.vision.sizes import scaled, size_after

Rng: TypeAlias = np.random.Generator


def preprocess(picture: Picture, steps: Sequence[Contract], rng: Rng) -> Picture:
    """All steps in order: the image comes out as [C, H', W'], float32, a mask as [H', W'], and no box leaves it.

    Raises:
        DataError: a step can't be carried out on this image.
    """
    for step in steps:
        with carrying_out(str(getattr(step, "name", type(step).__name__))):
            picture = apply(step, picture, rng)
    image = np.ascontiguousarray(picture.image.transpose(2, 0, 1), dtype=np.float32)
    mask = None if picture.mask is None else np.ascontiguousarray(picture.mask)
    return inside(picture)._replace(image=image, mask=mask)


@singledispatch
def apply(step: Contract, picture: Picture, rng: Rng) -> Picture:
    """One step. Every random choice is drawn from `rng`. A task's own step says with `apply.register` what it does."""
    raise TypeError(f"{type(step).__name__} is no transform of one picture")


@apply.register
def _(step: spec.RandomHorizontalFlip, picture: Picture, rng: Rng) -> Picture:
    return mirrored(picture) if rng.random() < step.prob else picture


@apply.register
def _(step: spec.RandomVerticalFlip, picture: Picture, rng: Rng) -> Picture:
    return upside_down(picture) if rng.random() < step.prob else picture


@apply.register
def _(step: spec.RandomCrop, picture: Picture, rng: Rng) -> Picture:
    height, width = picture.size
    aspect = np.sqrt(rng.uniform(step.lower_ratio, step.upper_ratio))
    # The largest share of the area that a part of this aspect can have and still fit in.
    largest = min(1.0, width / height / aspect**2, height / width * aspect**2)
    share = rng.uniform(min(step.lower_scale, largest), largest)
    side = np.sqrt(height * width * share)
    h, w = (max(1, min(limit, round(value))) for limit, value in ((height, side / aspect), (width, side * aspect)))
    corner = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    return resized(cut_out(picture, (h, w), corner), step.crop_size)


@apply.register
def _(step: spec.CenterCrop, picture: Picture, rng: Rng) -> Picture:
    (height, width), (h, w) = picture.size, step.crop_size
    if h > height or w > width:
        raise DataError(f"CenterCrop of {h}x{w} is larger than the image, {height}x{width}; resize it first")
    return cut_out(picture, step.crop_size, ((height - h) // 2, (width - w) // 2))


@apply.register
def _(step: spec.RandomPaddingCrop, picture: Picture, rng: Rng) -> Picture:
    picture = _padded(picture, step.crop_size, step.im_padding_value)
    top, left = (int(rng.integers(0, now - h + 1)) for now, h in zip(picture.size, step.crop_size, strict=True))
    return cut_out(picture, step.crop_size, (top, left))


@apply.register(spec.Resize)
@apply.register(spec.ResizeByShort)
@apply.register(spec.ResizeByLong)
def _(step: Contract, picture: Picture, rng: Rng) -> Picture:
    return resized(picture, size_after(step, picture.size))


@apply.register
def _(step: spec.InterpolatedResize, picture: Picture, rng: Rng) -> Picture:
    way: str = step.interp
    if way == "RANDOM":
        way = list(INTERPOLATIONS)[rng.integers(len(INTERPOLATIONS))]
    return resized(picture, step.target_size, way)


@apply.register
def _(step: spec.ResizeRangeScaling, picture: Picture, rng: Rng) -> Picture:
    long = int(rng.integers(step.min_value, step.max_value + 1))
    return resized(picture, scaled(picture.size, long / max(picture.size)))


@apply.register
def _(step: spec.ResizeStepScaling, picture: Picture, rng: Rng) -> Picture:
    low, high, between = step.min_scale_factor, step.max_scale_factor, step.scale_step_size
    if between:
        factor = low + between * int(rng.integers(0, int((high - low) / between + 1e-6) + 1))
    else:
        factor = float(rng.uniform(low, high))
    return resized(picture, scaled(picture.size, factor))


@apply.register
def _(step: spec.Padding, picture: Picture, rng: Rng) -> Picture:
    (height, width), (h, w) = picture.size, step.target_size
    if height > h or width > w:
        raise DataError(f"Padding to {h}x{w} can't hold the image, {height}x{width}; resize it first")
    return _padded(picture, step.target_size, step.im_padding_value)


@apply.register
def _(step: spec.StridePadding, picture: Picture, rng: Rng) -> Picture:
    return placed(picture, size_after(step, picture.size), (0, 0), 0)


@apply.register
def _(step: spec.Letterbox, picture: Picture, rng: Rng) -> Picture:
    height, width = step.target_size
    picture = resized(picture, scaled(picture.size, min(height / picture.size[0], width / picture.size[1])))
    corner = (height - picture.size[0]) // 2, (width - picture.size[1]) // 2
    return placed(picture, step.target_size, corner, step.fill_value)


@apply.register
def _(step: spec.RandomExpand, picture: Picture, rng: Rng) -> Picture:
    fill = for_channels(step.fill_value, picture.image, "RandomExpand")
    wanted, ratio = rng.random() < step.prob, rng.uniform(1, step.ratio)
    if not wanted:
        return picture
    ratio = min(ratio, max(1.0, (MOST_PIXELS / (picture.size[0] * picture.size[1])) ** 0.5))
    size = int(picture.size[0] * ratio), int(picture.size[1] * ratio)
    corner = tuple(int(rng.integers(0, large - now + 1)) for large, now in zip(size, picture.size, strict=True))
    return placed(picture, size, (corner[0], corner[1]), fill)


@apply.register
def _(step: spec.RandomRotate, picture: Picture, rng: Rng) -> Picture:
    return _rotated(step, picture, rng, None)


@apply.register
def _(step: spec.RandomFilledRotate, picture: Picture, rng: Rng) -> Picture:
    return _rotated(step, picture, rng, filling(picture.image, step.im_padding_value))


@apply.register
def _(step: spec.RandomBlur, picture: Picture, rng: Rng) -> Picture:
    wanted, window = rng.random() < step.prob, 2 * int(rng.integers(1, 5)) + 1
    return blurry(picture, window) if wanted else picture


@apply.register
def _(step: spec.RandomDistort, picture: Picture, rng: Rng) -> Picture:
    return picture._replace(image=distort(step, picture.image, rng))


@apply.register
def _(step: spec.Normalize, picture: Picture, rng: Rng) -> Picture:
    return _normalized(step, picture, full_range(picture.image))


@apply.register
def _(step: spec.RangedNormalize, picture: Picture, rng: Rng) -> Picture:
    return _normalized(step, picture, full_range(picture.image) if step.max_val is None else step.max_val)


def _padded(picture: Picture, size: tuple[int, int], value: float | None) -> Picture:
    """At least this high and wide, by pixels at the bottom and at the right."""
    height, width = (max(now, wanted) for now, wanted in zip(picture.size, bearable(size), strict=True))
    fill = filling(picture.image, value)
    return placed(picture, (height, width), (0, 0), fill if picture.image.dtype.kind == "f" else int(fill))


def _rotated(step: spec.RandomRotate, picture: Picture, rng: Rng, fill: float | None) -> Picture:
    degrees, wanted = rng.uniform(-step.rotate_range, step.rotate_range), rng.random() < step.prob
    return rotated(picture, degrees, fill) if wanted else picture


def _normalized(step: spec.Normalize, picture: Picture, largest: float) -> Picture:
    mean, std = (for_channels(values, picture.image, "Normalize") for values in (step.mean, step.std))
    return picture._replace(image=normalized(picture.image, mean, std, largest))
