"""The steps where the user names none, and what the task's own do."""

from __future__ import annotations

from paddleprune.specs import Contract, Split
from paddleprune.vision.picture import Picture
from paddleprune.vision.specs import Normalize, RandomDistort, RandomExpand, RandomHorizontalFlip
from paddleprune.vision.transforms import Rng, apply
from paddleprune_detection.data.crop import random_crop
from paddleprune_detection.transform_specs import RandomCrop, Resize


def default_transforms(split: Split, size: tuple[int, int], channels: int) -> tuple[Contract, ...]:
    """The usual steps, at a model's input size."""
    normalize = Normalize() if channels == 3 else Normalize(mean=(0.449,), std=(0.226,))
    if split == "eval":
        return Resize(target_size=size, interp="CUBIC"), normalize
    expand = RandomExpand() if channels == 3 else RandomExpand(fill_value=(114.5,))
    resize = Resize(target_size=size, interp="RANDOM")
    return RandomDistort(), expand, RandomCrop(), resize, RandomHorizontalFlip(), normalize


@apply.register
def _(step: RandomCrop, picture: Picture, rng: Rng) -> Picture:
    return random_crop(step, picture, rng)
