"""Steps that cut out and resize."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from paddleprune.vision.specs.step import RandomStep, Step
from paddleprune.vision.values import (
    LONGEST_SIDE,
    Enlargement,
    Filling,
    Interpolation,
    Side,
    Size,
)


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
