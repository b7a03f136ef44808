"""The preprocessing that a user may ask for, each step by its `name` and the original's parameters."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, model_validator

from paddleprune.vision.specs import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotate,
    RandomVerticalFlip,
    Resize,
    ResizeByShort,
)
from paddleprune.vision.specs import Normalize as _Normalize
from paddleprune.vision.specs import RandomDistort as _Distort
from paddleprune.vision.values import Probability


class RandomDistort(_Distort):
    """Change brightness, contrast, saturation and hue, in a random order, each with its own probability.

    A range r of the first three means a factor between 1 - r and 1 + r. A grey image has none of the last two.
    """

    brightness_range: Probability = 0.9
    contrast_range: Probability = 0.9
    saturation_range: Probability = 0.9


class Normalize(_Normalize):
    """Pixels / 255, minus the mean, over the standard deviation; must come last."""

    @model_validator(mode="after")
    def _usable(self) -> Normalize:
        if len(self.mean) not in (1, 3) or len(self.std) not in (1, 3):
            raise ValueError("mean and std need one value, or three: for red, green and blue")
        return self


Transform: TypeAlias = Annotated[
    RandomCrop
    | CenterCrop
    | RandomHorizontalFlip
    | RandomVerticalFlip
    | RandomRotate
    | RandomDistort
    | ResizeByShort
    | Resize
    | Normalize,
    Field(discriminator="name"),
]
