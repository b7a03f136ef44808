"""The preprocessing that a user may ask for, each step by its `name` and the original's parameters.

Steps act on image and mask alike, but for those that change colours. A mask is never interpolated, and what a step
adds to it is ignored (255).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from paddleprune.specs import Contract
from paddleprune.vision.specs import Enlargement, Probability, RandomDistort, Side, Size

Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Factor: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Filling: TypeAlias = Annotated[
    Finite | None, Field(description="pixels added to the image; by default the middle of their range")
]


def _square(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


class RandomHorizontalFlip(Contract):
    """Mirror left to right."""

    name: Literal["RandomHorizontalFlip"] = "RandomHorizontalFlip"
    prob: Probability = 0.5


class RandomVerticalFlip(Contract):
    """Mirror top to bottom."""

    name: Literal["RandomVerticalFlip"] = "RandomVerticalFlip"
    prob: Probability = 0.1


class Resize(Contract):
    """Resize, whatever the proportions."""

    name: Literal["Resize"] = "Resize"
    target_size: Size = Field((512, 512), description="height and width of the result; one number for a square")

    _square = field_validator("target_size", mode="before")(_square)


class ResizeByLong(Contract):
    """Resize so that the longer side has this length."""

    name: Literal["ResizeByLong"] = "ResizeByLong"
    long_size: Side = 256


class ResizeRangeScaling(Contract):
    """Resize so that the longer side has a random length between two."""

    name: Literal["ResizeRangeScaling"] = "ResizeRangeScaling"
    min_value: Side = 400
    max_value: Side = 600

    @model_validator(mode="after")
    def _ordered(self) -> ResizeRangeScaling:
        if self.min_value > self.max_value:
            raise ValueError(f"min_value {self.min_value} is above max_value {self.max_value}")
        return self


class ResizeStepScaling(Contract):
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


class RandomPaddingCrop(Contract):
    """Cut out a random part; what is smaller is padded first, at the right and at the bottom."""

    name: Literal["RandomPaddingCrop"] = "RandomPaddingCrop"
    crop_size: Size = Field((512, 512), description="height and width of the result; one number for a square")
    im_padding_value: Filling = None

    _square = field_validator("crop_size", mode="before")(_square)


class Padding(Contract):
    """Pad at the right and at the bottom up to this size."""

    name: Literal["Padding"] = "Padding"
    target_size: Size = Field((512, 512), description="height and width of the result; one number for a square")
    im_padding_value: Filling = None

    _square = field_validator("target_size", mode="before")(_square)


class RandomBlur(Contract):
    """Blur the image with a Gaussian whose window is 3 to 9 pixels wide."""

    name: Literal["RandomBlur"] = "RandomBlur"
    prob: Probability = 0.1


class RandomRotate(Contract):
    """Turn about the middle, within the same frame; the corners are filled."""

    name: Literal["RandomRotate"] = "RandomRotate"
    rotate_range: float = Field(15, ge=0, le=180, description="greatest angle, in degrees, either way")
    prob: Probability = 0.5
    im_padding_value: Filling = None


class Normalize(Contract):
    """Pixels to shares of their range, minus the mean, over the standard deviation; must come last."""

    name: Literal["Normalize"] = "Normalize"
    mean: tuple[Finite, ...] = Field((0.5,), min_length=1, description="one value for all channels, or one for each")
    std: tuple[Factor, ...] = Field((0.5,), min_length=1, description="one value for all channels, or one for each")
    max_val: Factor | None = Field(
        None, description="the pixel value that becomes 1; by default 255 and 65535 (8 and 16 bits), else 1"
    )


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
    | RandomRotate
    | Normalize,
    Field(discriminator="name"),
]
EVALUATION = (Resize, ResizeByLong, Padding, Normalize)
"""The steps that are the same each time."""
