"""The preprocessing that a user may ask for, each step by its `name` and the original's parameters.

Steps move the boxes with the pixels. A box is cut off where it leaves the image, and dropped where nothing is left.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from paddleprune.specs import Contract
from paddleprune.vision.specs import LONGEST_SIDE, Probability, RandomDistort, Side, Size

Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Factor: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Range: TypeAlias = tuple[Factor, Factor]
Level: TypeAlias = Annotated[float, Field(ge=0, le=255)]
Interpolation: TypeAlias = Literal["NEAREST", "LINEAR", "CUBIC", "AREA", "LANCZOS4", "RANDOM"]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def _square(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


class MixupImage(Contract):
    """Blend with another image of the split, by shares from a beta distribution; must come first.

    The objects of both count with their image's share.
    """

    name: Literal["MixupImage"] = "MixupImage"
    alpha: Factor = 1.5
    beta: Factor = 1.5
    mixup_epoch: int = Field(-1, ge=-1, description="in the first so many epochs; -1 for none, as in the original")


class RandomExpand(Contract):
    """Place the image somewhere on a larger one of one colour, so that objects become smaller."""

    name: Literal["RandomExpand"] = "RandomExpand"
    ratio: float = Field(4.0, ge=1, le=100, description="greatest factor on both sides")
    prob: Probability = 0.5
    fill_value: tuple[Level, ...] = Field(
        (123.675, 116.28, 103.53), min_length=1, description="one value for all channels, or one for each"
    )


class RandomCrop(Contract):
    """Cut out a random part that holds an object well enough; objects whose middle lies outside it are dropped.

    A threshold is drawn, then parts, until one overlaps an object by at least as much; after `num_attempts` the next
    threshold is tried, and after all of them the image stays whole, as one without objects does.

    Liu et al., "SSD: Single Shot MultiBox Detector" (2016), section 2.2, "Data augmentation".
    """

    name: Literal["RandomCrop"] = "RandomCrop"
    aspect_ratio: Range = Field((0.5, 2.0), description="of the part's width / height to the image's")
    thresholds: tuple[Probability, ...] = Field(
        (0.0, 0.1, 0.3, 0.5, 0.7, 0.9), min_length=1, description="least intersection over union with an object"
    )
    scaling: Range = Field((0.3, 1.0), description="of the part's sides to the image's; at most 1")
    num_attempts: int = Field(50, ge=1, le=10_000, description="parts to try for each threshold")
    allow_no_crop: bool = Field(True, description="to stay whole is one of the choices")
    cover_all_box: bool = Field(False, description="every object, not just one, must overlap as much")

    @model_validator(mode="after")
    def _ordered(self) -> RandomCrop:
        for name, (low, high) in (("aspect_ratio", self.aspect_ratio), ("scaling", self.scaling)):
            if low > high:
                raise ValueError(f"{name} goes from {low} to {high}; write the least value first")
        if self.scaling[1] > 1:
            raise ValueError(f"scaling goes up to {self.scaling[1]}; a part is no larger than its image: at most 1")
        return self


class RandomHorizontalFlip(Contract):
    """Mirror left to right."""

    name: Literal["RandomHorizontalFlip"] = "RandomHorizontalFlip"
    prob: Probability = 0.5


class Resize(Contract):
    """Resize, whatever the proportions."""

    name: Literal["Resize"] = "Resize"
    target_size: Size = Field((608, 608), description="height and width of the result; one number for a square")
    interp: Interpolation = Field("LINEAR", description="how pixels are interpolated; RANDOM: a new way each time")

    _square = field_validator("target_size", mode="before")(_square)


class ResizeByShort(Contract):
    """Resize so that the shorter side has this length, or less where the longer one would be too long."""

    name: Literal["ResizeByShort"] = "ResizeByShort"
    short_size: Side = 800
    max_size: int = Field(1333, le=LONGEST_SIDE, description="greatest length of the longer side, or -1: any")

    @field_validator("max_size")
    @classmethod
    def _positive_or_any(cls, value: int) -> int:
        if value < 1 and value != -1:
            raise ValueError(f"max_size must be positive, or -1 for any, not {value}")
        return value


class Padding(Contract):
    """Pad with black, at the right and at the bottom, until both sides are multiples of this."""

    name: Literal["Padding"] = "Padding"
    coarsest_stride: Side = 1


class Letterbox(Contract):
    """Resize so that the image just fits in this size, and pad it evenly on both sides."""

    name: Literal["Letterbox"] = "Letterbox"
    target_size: Size = Field((608, 608), description="height and width of the result; one number for a square")
    fill_value: Level = Field(127, description="pixels added to the image")

    _square = field_validator("target_size", mode="before")(_square)


class Normalize(Contract):
    """Pixels / 255, minus the mean, over the standard deviation; must come last."""

    name: Literal["Normalize"] = "Normalize"
    mean: tuple[Finite, ...] = Field(
        IMAGENET_MEAN, min_length=1, description="one value for all channels, or one for each"
    )
    std: tuple[Factor, ...] = Field(
        IMAGENET_STD, min_length=1, description="one value for all channels, or one for each"
    )


Transform: TypeAlias = Annotated[
    MixupImage
    | RandomDistort
    | RandomExpand
    | RandomCrop
    | RandomHorizontalFlip
    | Resize
    | ResizeByShort
    | Padding
    | Letterbox
    | Normalize,
    Field(discriminator="name"),
]


def is_random(step: Contract) -> bool:
    """Does it come out differently each time, so that evaluation can't use it?"""
    if isinstance(step, Resize):
        return step.interp == "RANDOM"
    return not isinstance(step, (ResizeByShort, Padding, Letterbox, Normalize))
