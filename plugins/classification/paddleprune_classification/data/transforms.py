"""The steps where the user names none."""

from __future__ import annotations

from paddleprune.specs import Contract, Split
from paddleprune.vision.specs import CenterCrop, RandomCrop, RandomHorizontalFlip, Resize, ResizeByShort
from paddleprune_classification.transform_specs import Normalize

_MARGIN = 256 / 224


def default_transforms(split: Split, size: tuple[int, int], channels: int) -> tuple[Contract, ...]:
    """The usual steps for ImageNet-like photographs, at a model's input size."""
    normalize = Normalize() if channels == 3 else Normalize(mean=(0.449,), std=(0.226,))
    if split == "train":
        return RandomCrop(crop_size=size), RandomHorizontalFlip(), normalize
    if size[0] == size[1]:
        resize: Contract = ResizeByShort(short_size=round(size[0] * _MARGIN))
    else:
        resize = Resize(target_size=(round(size[0] * _MARGIN), round(size[1] * _MARGIN)))
    return resize, CenterCrop(crop_size=size), normalize
