"""Changes of colour, on images [H, W, C]."""

from __future__ import annotations

import cv2
import numpy as np

from paddleprune.interfaces import Array
from paddleprune.vision.pixels import rounded
from paddleprune.vision.specs import RandomDistort


def distort(step: RandomDistort, image: Array, rng: np.random.Generator) -> Array:
    """`image` with its colours changed as `step` says; only an 8-bit colour image has a saturation and a hue."""
    changes = [
        (brightness, step.brightness_prob, rng.uniform(1 - step.brightness_range, 1 + step.brightness_range)),
        (contrast, step.contrast_prob, rng.uniform(1 - step.contrast_range, 1 + step.contrast_range)),
        (saturation, step.saturation_prob, rng.uniform(1 - step.saturation_range, 1 + step.saturation_range)),
        (hue, step.hue_prob, rng.uniform(-step.hue_range, step.hue_range)),
    ]
    chances = rng.random(len(changes))
    coloured = image.shape[2] == 3 and image.dtype == np.uint8
    for which in rng.permutation(len(changes)):
        change, probability, amount = changes[which]
        if chances[which] < probability and (coloured or change in (brightness, contrast)):
            image = change(image, amount)
    return image


def brightness(image: Array, factor: float) -> Array:
    """Toward black (0) or away from it (above 1)."""
    return rounded(image.astype(np.float32) * factor, image)


def contrast(image: Array, factor: float) -> Array:
    """Toward the mean of all pixels and channels (0) or away from it (above 1)."""
    mean = image.mean(dtype=np.float64)
    return rounded(mean + (image - mean) * factor, image)


def saturation(image: Array, factor: float) -> Array:
    """Toward each pixel's own grey (0) or away from it (above 1)."""
    grey = (image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))[:, :, np.newaxis]
    return rounded(grey + (image - grey) * factor, image)


def hue(image: Array, degrees: float) -> Array:
    """Turn the colour wheel."""
    hsv = cv2.cvtColor(np.ascontiguousarray(image, dtype=np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0] + degrees) % 360
    return rounded(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255, image)
