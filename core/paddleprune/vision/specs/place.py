"""Steps that pad, mirror and turn."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paddleprune.vision.specs.step import RandomStep, Step
from paddleprune.vision.values import (
    Angle,
    Filling,
    Level,
    Probability,
    Side,
    Size,
)


class Padding(Step):
    """Pad at the right and at the bottom up to this size."""

    name: Literal["Padding"] = "Padding"
    target_size: Size = (512, 512)
    im_padding_value: Filling = None


class StridePadding(Step):
    """Pad with black, at the right and at the bottom, until both sides are multiples of this."""

    name: Literal["Padding"] = "Padding"
    coarsest_stride: Side = 1


class Letterbox(Step):
    """Resize so that the image just fits in this size, and pad it evenly on both sides."""

    name: Literal["Letterbox"] = "Letterbox"
    target_size: Size = (608, 608)
    fill_value: Level = Field(127, description="pixels added to the image")


class RandomExpand(RandomStep):
    """Place the image somewhere on a larger one of one colour, so that objects become smaller."""

    name: Literal["RandomExpand"] = "RandomExpand"
    ratio: float = Field(4.0, ge=1, le=100, description="greatest factor on both sides")
    prob: Probability = 0.5
    fill_value: tuple[Level, ...] = Field(
        (123.675, 116.28, 103.53), min_length=1, description="one value for all channels, or one for each"
    )


class RandomHorizontalFlip(RandomStep):
    """Mirror left to right."""

    name: Literal["RandomHorizontalFlip"] = "RandomHorizontalFlip"
    prob: Probability = 0.5


class RandomVerticalFlip(RandomStep):
    """Mirror top to bottom."""

    name: Literal["RandomVerticalFlip"] = "RandomVerticalFlip"
    prob: Probability = 0.5


class RandomRotate(RandomStep):
    """Turn the image about its middle, within its own frame; the corners are filled by reflection."""

    name: Literal["RandomRotate"] = "RandomRotate"
    rotate_range: Angle = 30
    prob: Probability = 0.5


class RandomFilledRotate(RandomRotate):
    """Turn the image about its middle, within its own frame; the corners are filled with one value."""

    rotate_range: Angle = 15
    im_padding_value: Filling = None
