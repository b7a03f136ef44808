"""The preprocessing that a user may ask for, each step by its `name` and the original's parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from paddleprune.specs import Contract
from paddleprune.vision.specs import LONGEST_SIDE, Probability, Side, Size
from paddleprune.vision.specs import RandomDistort as _Distort

Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class _Cropped(Contract):
    crop_size: Size = Field((224, 224), description="height and width of the result; one number for a square")

    @field_validator("crop_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


class RandomCrop(_Cropped):
    """Cut out a random part of the image, of a random shape, and resize it."""

    name: Literal["RandomCrop"] = "RandomCrop"
    lower_scale: float = Field(0.08, gt=0, le=1, description="least share of the image's area")
    lower_ratio: float = Field(3 / 4, gt=0, description="least width / height of the part")
    upper_ratio: float = Field(4 / 3, gt=0, allow_inf_nan=False, description="greatest width / height of the part")

    @model_validator(mode="after")
    def _ordered(self) -> RandomCrop:
        if self.lower_ratio > self.upper_ratio:
            raise ValueError(f"lower_ratio {self.lower_ratio} is above upper_ratio {self.upper_ratio}")
        return self


class CenterCrop(_Cropped):
    """Cut out the middle of the image, which must be at least as large."""

    name: Literal["CenterCrop"] = "CenterCrop"


class RandomHorizontalFlip(Contract):
    """Mirror the image left to right."""

    name: Literal["RandomHorizontalFlip"] = "RandomHorizontalFlip"
    prob: Probability = 0.5


class RandomVerticalFlip(Contract):
    """Mirror the image top to bottom."""

    name: Literal["RandomVerticalFlip"] = "RandomVerticalFlip"
    prob: Probability = 0.5


class RandomRotate(Contract):
    """Turn the image about its middle, within its own frame; the corners are filled by reflection."""

    name: Literal["RandomRotate"] = "RandomRotate"
    rotate_range: float = Field(30, ge=0, le=180, description="greatest angle, in degrees, either way")
    prob: Probability = 0.5


class RandomDistort(_Distort):
    """Change brightness, contrast, saturation and hue, in a random order, each with its own probability.

    A range r of the first three means a factor between 1 - r and 1 + r. A grey image has none of the last two.
    """

    brightness_range: Probability = 0.9
    contrast_range: Probability = 0.9
    saturation_range: Probability = 0.9


class ResizeByShort(Contract):
    """Resize so that the shorter side has this length."""

    name: Literal["ResizeByShort"] = "ResizeByShort"
    short_size: Side = 256
    max_size: int = Field(-1, le=LONGEST_SIDE, description="greatest length of the longer side, or -1: any")

    @field_validator("max_size")
    @classmethod
    def _positive_or_any(cls, value: int) -> int:
        if value < 1 and value != -1:
            raise ValueError(f"max_size must be positive, or -1 for any, not {value}")
        return value


class Resize(Contract):
    """Resize, whatever the proportions."""

    name: Literal["Resize"] = "Resize"
    target_size: Size = Field((224, 224), description="height and width of the result; one number for a square")

    @field_validator("target_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


class Normalize(Contract):
    """Pixels / 255, minus the mean, over the standard deviation; must come last."""

    name: Literal["Normalize"] = "Normalize"
    mean: tuple[Finite, ...] = Field(IMAGENET_MEAN, description="one value for all channels, or one for each")
    std: tuple[Finite, ...] = Field(IMAGENET_STD, description="one value for all channels, or one for each")

    @model_validator(mode="after")
    def _usable(self) -> Normalize:
        if len(self.mean) not in (1, 3) or len(self.std) not in (1, 3):
            raise ValueError("mean and std need one value, or three: for red, green and blue")
        if min(self.std) <= 0:
            raise ValueError(f"std must be positive, not {min(self.std)}")
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
