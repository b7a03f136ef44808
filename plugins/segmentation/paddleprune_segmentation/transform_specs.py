"""The preprocessing that a user may ask for, each step by its `name` and the original's parameters.

Steps act on image and mask alike, but for those that change colours. A mask is never interpolated, and what a step
adds to it is ignored (255).
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from paddleprune.vision.specs import (
    Padding,
    RandomBlur,
    RandomDistort,
    RandomFilledRotate,
    RandomHorizontalFlip,
    RandomPaddingCrop,
    ResizeByLong,
    ResizeRangeScaling,
    ResizeStepScaling,
)
from paddleprune.vision.specs import RandomVerticalFlip as _VerticalFlip
from paddleprune.vision.specs import RangedNormalize as _Normalize
from paddleprune.vision.specs import Resize as _Resize
from paddleprune.vision.values import Factor, Finite, Probability, Size


class RandomVerticalFlip(_VerticalFlip):
    """Mirror top to bottom."""

    prob: Probability = 0.1


class Resize(_Resize):
    """Resize, whatever the proportions."""

    target_size: Size = (512, 512)


class Normalize(_Normalize):
    """Pixels to shares of their range, minus the mean, over the standard deviation; must come last."""

    mean: tuple[Finite, ...] = Field((0.5,), min_length=1, description="one value for all channels, or one for each")
    std: tuple[Factor, ...] = Field((0.5,), min_length=1, description="one value for all channels, or one for each")


Transform: TypeAlias = Annotated[
    RandomHorizontalFlip
    | RandomVerticalFlip
    | Resize
    | ResizeByLong
    | ResizeRangeScaling
    | ResizeStepScaling
    | RandomPaddingCrop
    | Padding
    | RandomDistort
    | RandomBlur
    | RandomFilledRotate
    | Normalize,
    Field(discriminator="name"),
]
