"""The steps of `transform_specs`, on pictures (RGB or grey, uint8 until Normalize)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import TypeAlias

import numpy as np

from paddleprune.specs import Contract, Split
from paddleprune.vision.distort import distort
from paddleprune.vision.headers import MOST_PIXELS
from paddleprune.vision.pixels import carrying_out
from paddleprune.vision.specs import RandomDistort
from paddleprune_detection import transform_specs as spec
from paddleprune_detection.data.crop import random_crop
from paddleprune_detection.data.picture import (
    INTERPOLATIONS,
    Picture,
    for_channels,
    inside,
    mirrored,
    placed,
    resized,
)

Rng: TypeAlias = np.random.Generator


def preprocess(picture: Picture, steps: Sequence[Contract], rng: Rng) -> Picture:
    """All steps in order: the image comes out as [C, H', W'], float32, and no box leaves it."""
    for step in steps:
        with carrying_out(step):
            picture = apply(step, picture, rng)
    picture = inside(picture)
    return picture._replace(image=np.ascontiguousarray(picture.image.transpose(2, 0, 1), dtype=np.float32))


def default_transforms(split: Split, size: tuple[int, int], channels: int) -> tuple[Contract, ...]:
    """The usual steps, at a model's input size."""
    normalize = spec.Normalize() if channels == 3 else spec.Normalize(mean=(0.449,), std=(0.226,))
    if split == "eval":
        return spec.Resize(target_size=size, interp="CUBIC"), normalize
    expand = spec.RandomExpand() if channels == 3 else spec.RandomExpand(fill_value=(114.5,))
    resize = spec.Resize(target_size=size, interp="RANDOM")
    return RandomDistort(), expand, spec.RandomCrop(), resize, spec.RandomHorizontalFlip(), normalize


@singledispatch
def apply(step: Contract, picture: Picture, rng: Rng) -> Picture:
    """One step. Every random choice is drawn from `rng`."""
    raise TypeError(f"{type(step).__name__} is no transform of one picture")


@apply.register
def _(step: RandomDistort, picture: Picture, rng: Rng) -> Picture:
    return picture._replace(image=distort(step, picture.image, rng))


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
def _(step: spec.RandomCrop, picture: Picture, rng: Rng) -> Picture:
    return random_crop(step, picture, rng)


@apply.register
def _(step: spec.RandomHorizontalFlip, picture: Picture, rng: Rng) -> Picture:
    return mirrored(picture) if rng.random() < step.prob else picture


@apply.register
def _(step: spec.Resize, picture: Picture, rng: Rng) -> Picture:
    way: str = step.interp
    if way == "RANDOM":
        way = list(INTERPOLATIONS)[rng.integers(len(INTERPOLATIONS))]
    return resized(picture, step.target_size, way)


@apply.register
def _(step: spec.ResizeByShort, picture: Picture, rng: Rng) -> Picture:
    factor = step.short_size / min(picture.size)
    if step.max_size > 0:
        factor = min(factor, step.max_size / max(picture.size))
    return resized(picture, _scaled(picture.size, factor))


@apply.register
def _(step: spec.Padding, picture: Picture, rng: Rng) -> Picture:
    stride = step.coarsest_stride
    height, width = (-(-side // stride) * stride for side in picture.size)
    return placed(picture, (height, width), (0, 0), 0)


@apply.register
def _(step: spec.Letterbox, picture: Picture, rng: Rng) -> Picture:
    height, width = step.target_size
    picture = resized(picture, _scaled(picture.size, min(height / picture.size[0], width / picture.size[1])))
    corner = (height - picture.size[0]) // 2, (width - picture.size[1]) // 2
    return placed(picture, step.target_size, corner, step.fill_value)


@apply.register
def _(step: spec.Normalize, picture: Picture, rng: Rng) -> Picture:
    mean, std = (for_channels(values, picture.image, "Normalize") for values in (step.mean, step.std))
    return picture._replace(image=(picture.image.astype(np.float32) / 255 - mean) / std)


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
