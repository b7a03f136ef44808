"""The steps of preprocessing that tasks offer, by the original's names and parameters.

A task names those that it takes, as they are or as subclasses with other defaults. What each does to a picture is in
`transforms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator, model_validator

from paddleprune.specs import Contract
from paddleprune.vision.values import (
    LONGEST_SIDE,
    Angle,
    Enlargement,
    Factor,
    Filling,
    Finite,
    Interpolation,
    Level,
    Probability,
    Side,
    Size,
)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Step(Contract):
    """A step that comes out the same each time; `name` is what users call it by, and what tells steps apart."""

    name: str

    @property
    def random(self) -> bool:
        """Does it come out differently each time?"""
        return False


class RandomStep(Step):
    """A step that draws something, so that it is for training alone."""

    @property
    def random(self) -> bool:
        """It does."""
        return True


def random_step(steps: Sequence[Contract]) -> str | None:
    """The name of the first step that comes out differently each time, if there is one."""
    return next((step.name for step in steps if isinstance(step, Step) and step.random), None)


class RandomHorizontalFlip(RandomStep):
    """Mirror left to right."""

    name: Literal["RandomHorizontalFlip"] = "RandomHorizontalFlip"
    prob: Probability = 0.5


class RandomVerticalFlip(RandomStep):
    """Mirror top to bottom."""

    name: Literal["RandomVerticalFlip"] = "RandomVerticalFlip"
    prob: Probability = 0.5


class RandomCrop(RandomStep):
    """Cut out a random part of the image, of a random shape, and resize it."""

    name: Literal["RandomCrop"] = "RandomCrop"
    crop_size: Size = (224, 224)
    lower_scale: float = Field(0.08, gt=0, le=1, description="least share of the image's area")
    lower_ratio: float = Field(3 / 4, gt=0, description="least width / height of the part")
    upper_ratio: float = Field(4 / 3, gt=0, allow_inf_nan=False, description="greatest width / height of the part")

    @model_validator(mode="after")
    def _ordered(self) -> RandomCrop:
        if self.lower_ratio > self.upper_ratio:
            raise ValueError(f"lower_ratio {self.lower_ratio} is above upper_ratio {self.upper_ratio}")
        return self


class CenterCrop(Step):
    """Cut out the middle of the image, which must be at least as large."""

    name: Literal["CenterCrop"] = "CenterCrop"
    crop_size: Size = (224, 224)


class RandomPaddingCrop(RandomStep):
    """Cut out a random part; what is smaller is padded first, at the right and at the bottom."""

    name: Literal["RandomPaddingCrop"] = "RandomPaddingCrop"
    crop_size: Size = (512, 512)
    im_padding_value: Filling = None


class Resize(Step):
    """Resize, whatever the proportions."""

    name: Literal["Resize"] = "Resize"
    target_size: Size = (224, 224)


class InterpolatedResize(Resize):
    """Resize, whatever the proportions, in a way that can be chosen."""

    interp: Interpolation = Field("LINEAR", description="how pixels are interpolated; RANDOM: a new way each time")

    @property
    def random(self) -> bool:
        """Is the way drawn?"""
        return self.interp == "RANDOM"


class ResizeByShort(Step):
    """Resize so that the shorter side has this length, or less where the longer one would be too long."""

    name: Literal["ResizeByShort"] = "ResizeByShort"
    short_size: Side = 256
    max_size: int = Field(-1, le=LONGEST_SIDE, description="greatest length of the longer side, or -1: any")

    @field_validator("max_size")
    @classmethod
    def _positive_or_any(cls, value: int) -> int:
        if value < 1 and value != -1:
            raise ValueError(f"max_size must be positive, or -1 for any, not {value}")
        return value


class ResizeByLong(Step):
    """Resize so that the longer side has this length."""

    name: Literal["ResizeByLong"] = "ResizeByLong"
    long_size: Side = 256


class ResizeRangeScaling(RandomStep):
    """Resize so that the longer side has a random length between two."""

    name: Literal["ResizeRangeScaling"] = "ResizeRangeScaling"
    min_value: Side = 400
    max_value: Side = 600

    @model_validator(mode="after")
    def _ordered(self) -> ResizeRangeScaling:
        if self.min_value > self.max_value:
            raise ValueError(f"min_value {self.min_value} is above max_value {self.max_value}")
        return self


class ResizeStepScaling(RandomStep):
    """Resize by a random factor out of evenly spaced ones."""

    name: Literal["ResizeStepScaling"] = "ResizeStepScaling"
    min_scale_factor: Enlargement = 0.75
    max_scale_factor: Enlargement = 1.25
    scale_step_size: float = Field(0.25, ge=0, allow_inf_nan=False, description="0: any factor between the two")

    @model_validator(mode="after")
    def _ordered(self) -> ResizeStepScaling:
        if self.min_scale_factor > self.max_scale_factor:
            raise ValueError(
                f"min_scale_factor {self.min_scale_factor} is above max_scale_factor {self.max_scale_factor}"
            )
        return self


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


class RandomRotate(RandomStep):
    """Turn the image about its middle, within its own frame; the corners are filled by reflection."""

    name: Literal["RandomRotate"] = "RandomRotate"
    rotate_range: Angle = 30
    prob: Probability = 0.5


class RandomFilledRotate(RandomRotate):
    """Turn the image about its middle, within its own frame; the corners are filled with one value."""

    rotate_range: Angle = 15
    im_padding_value: Filling = None


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
