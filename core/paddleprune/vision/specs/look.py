"""Steps that change how pixels look, and make numbers of them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paddleprune.vision.specs.step import RandomStep, Step
from paddleprune.vision.values import (
    Factor,
    Finite,
    Probability,
)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class RandomBlur(RandomStep):
    """Blur the image with a Gaussian whose window is 3 to 9 pixels wide."""

    name: Literal["RandomBlur"] = "RandomBlur"
    prob: Probability = 0.1


class RandomDistort(RandomStep):
    """Change brightness, contrast, saturation and hue, in a random order, each with its own probability.

    A range r of the first three means a factor between 1 - r and 1 + r. The last two need an 8-bit colour image.
    """

    name: Literal["RandomDistort"] = "RandomDistort"
    brightness_range: Probability = 0.5
    brightness_prob: Probability = 0.5
    contrast_range: Probability = 0.5
    contrast_prob: Probability = 0.5
    saturation_range: Probability = 0.5
    saturation_prob: Probability = 0.5
    hue_range: float = Field(18, ge=0, le=180, description="greatest turn of the hue, in degrees, either way")
    hue_prob: Probability = 0.5


class Normalize(Step):
    """Pixels to shares of their range, minus the mean, over the standard deviation; must come last."""

    name: Literal["Normalize"] = "Normalize"
    mean: tuple[Finite, ...] = Field(
        IMAGENET_MEAN, min_length=1, description="one value for all channels, or one for each"
    )
    std: tuple[Factor, ...] = Field(
        IMAGENET_STD, min_length=1, description="one value for all channels, or one for each"
    )


class RangedNormalize(Normalize):
    """Pixels to shares of their range, minus the mean, over the standard deviation; must come last."""

    max_val: Factor | None = Field(
        None, description="the pixel value that becomes 1; by default 255 and 65535 (8 and 16 bits), else 1"
    )
