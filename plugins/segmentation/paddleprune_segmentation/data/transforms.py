"""The steps where the user names none."""

from __future__ import annotations

from paddleprune.specs import Contract, Split
from paddleprune.vision.specs import (
    Padding,
    RandomHorizontalFlip,
    RandomPaddingCrop,
    ResizeByLong,
    ResizeStepScaling,
)
from paddleprune_segmentation.transform_specs import Normalize, Resize


def default_transforms(split: Split, size: tuple[int, int]) -> tuple[Contract, ...]:
    """The usual steps, at a model's input size; images keep their proportions where that is a square."""
    fit: Contract = ResizeByLong(long_size=size[0]) if size[0] == size[1] else Resize(target_size=size)
    if split == "eval":
        return fit, Padding(target_size=size), Normalize()
    scaling = ResizeStepScaling(min_scale_factor=0.5, max_scale_factor=2.0, scale_step_size=0.25)
    return fit, scaling, RandomPaddingCrop(crop_size=size), RandomHorizontalFlip(), Normalize()
