"""How large the steps that are the same each time make a picture, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

import numpy as np

from paddleprune.interfaces import Array
from paddleprune.specs import Contract
from paddleprune.vision import specs as spec
from paddleprune.vision.pixels import resized_image


def scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Height and width, times a factor: at least 1."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


@singledispatch
def size_after(step: Contract, size: tuple[int, int]) -> tuple[int, int]:
    """The height and width that a step makes of some; those that change no size leave it."""
    return size


@size_after.register(spec.Resize)
@size_after.register(spec.Letterbox)
def _(step: spec.Resize | spec.Letterbox, size: tuple[int, int]) -> tuple[int, int]:
    return step.target_size


@size_after.register
def _(step: spec.ResizeByShort, size: tuple[int, int]) -> tuple[int, int]:
    factor = step.short_size / min(size)
    if step.max_size > 0:
        factor = min(factor, step.max_size / max(size))
    return scaled(size, factor)


@size_after.register
def _(step: spec.ResizeByLong, size: tuple[int, int]) -> tuple[int, int]:
    return scaled(size, step.long_size / max(size))


@size_after.register
def _(step: spec.Padding, size: tuple[int, int]) -> tuple[int, int]:
    return max(size[0], step.target_size[0]), max(size[1], step.target_size[1])


@size_after.register
def _(step: spec.StridePadding, size: tuple[int, int]) -> tuple[int, int]:
    height, width = (-(-side // step.coarsest_stride) * step.coarsest_stride for side in size)
    return height, width


def sizes(steps: Sequence[Contract], size: tuple[int, int]) -> list[tuple[int, int]]:
    """The height and width that an image of some size has before each of the steps."""
    found = []
    for step in steps:
        found.append(size)
        size = size_after(step, size)
    return found


def undone(plane: Array, steps: Sequence[Contract], size: tuple[int, int]) -> Array:
    """What a model says of each pixel of its input, at the size of the image that steps made the input of.

    Args:
        plane: [H', W'] float32, such as the scores of one class.
        steps: those that made the input: resizing and padding, and others that leave the place of pixels.
        size: of the image.

    Returns:
        [H, W]: what was padded is cut off, what was resized is resized back.
    """
    for step, before in zip(reversed(steps), reversed(sizes(steps, size)), strict=True):
        if isinstance(step, (spec.Padding, spec.StridePadding)):
            plane = plane[: before[0], : before[1]]
        elif isinstance(step, spec.Letterbox):
            inner = scaled(before, min(after / now for after, now in zip(step.target_size, before, strict=True)))
            top, left = ((after - now) // 2 for after, now in zip(step.target_size, inner, strict=True))
            plane = resized_image(plane[top : top + inner[0], left : left + inner[1], np.newaxis], before)[:, :, 0]
        else:
            plane = resized_image(plane[:, :, np.newaxis], before)[:, :, 0]
    return plane
