"""Colours in an exported file: their normalization, and what is grey."""

from __future__ import annotations

from paddle import Tensor

from paddleprune.vision import specs as spec

CHANNELS = 3
LARGEST = 255
_GREY = (0.299, 0.587, 0.114)
"""Shares of red, green and blue, as OpenCV takes them."""


def mean_and_std(step: spec.Normalize) -> dict[str, list[float]]:
    """The numbers of a Normalize for three channels, of pixels as shares of 255."""
    largest = getattr(step, "max_val", None) or LARGEST
    sides = {"mean": step.mean, "std": step.std}
    return {
        name: [value * largest / LARGEST for value in (values if len(values) > 1 else values * CHANNELS)]
        for name, values in sides.items()
    }


def grey(images: Tensor) -> Tensor:
    """Red, green and blue, [N, 3, H, W] -> their sum as one sees it, [N, 1, H, W].

    (OpenCV rounds it to whole levels; this doesn't, so that it differs by less than a level.)
    """
    red, green, blue = (images[:, i : i + 1] * share for i, share in enumerate(_GREY))
    return red + green + blue
