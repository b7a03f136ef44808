"""The preprocessing that several tasks offer, by the original's name and parameters."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from paddleprune.specs import Contract

Probability: TypeAlias = Annotated[float, Field(ge=0, le=1)]
LONGEST_SIDE = 16_384
"""Pixels of the longest side that a step may ask for."""
Side: TypeAlias = Annotated[int, Field(ge=1, le=LONGEST_SIDE)]
Size: TypeAlias = tuple[Side, Side]
"""Height and width."""
Enlargement: TypeAlias = Annotated[float, Field(gt=0, le=100)]
"""By how much a step may make an image larger."""


class RandomDistort(Contract):
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
