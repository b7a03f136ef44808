"""The preprocessing that a user may ask for, each step by its `name` and the original's parameters.

Steps move the boxes with the pixels. A box is cut off where it leaves the image, and dropped where nothing is left.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from paddleprune.vision.specs import InterpolatedResize as _Resize
from paddleprune.vision.specs import (
    Letterbox,
    Normalize,
    RandomDistort,
    RandomExpand,
    RandomHorizontalFlip,
    RandomStep,
    StridePadding,
)
from paddleprune.vision.specs import ResizeByShort as _ByShort
from paddleprune.vision.values import LONGEST_SIDE, Factor, Probability, Side, Size

Range: TypeAlias = tuple[Factor, Factor]


class MixupImage(RandomStep):
    """Blend with another image of the split, by shares from a beta distribution; must come first.

    The objects of both count with their image's share.
    """

    name: Literal["MixupImage"] = "MixupImage"
    alpha: Factor = 1.5
    beta: Factor = 1.5
    mixup_epoch: int = Field(-1, ge=-1, description="in the first so many epochs; -1 for none, as in the original")


class RandomCrop(RandomStep):
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


class Resize(_Resize):
    """Resize, whatever the proportions."""

    target_size: Size = (608, 608)


class ResizeByShort(_ByShort):
    """Resize so that the shorter side has this length, or less where the longer one would be too long."""

    short_size: Side = 800
    max_size: int = Field(1333, le=LONGEST_SIDE, description="greatest length of the longer side, or -1: any")


Transform: TypeAlias = Annotated[
    MixupImage
    | RandomDistort
    | RandomExpand
    | RandomCrop
    | RandomHorizontalFlip
    | Resize
    | ResizeByShort
    | StridePadding
    | Letterbox
    | Normalize,
    Field(discriminator="name"),
]
