"""Changes of colour, on images [H, W, C], RGB or grey, uint8."""

from __future__ import annotations

import cv2
import numpy as np

from paddleprune.interfaces import Array
from paddleprune_classification.transform_specs import RandomDistort


def distort(step: RandomDistort, image: Array, rng: np.random.Generator) -> Array:
    """`image` with its colours changed as `step` says; a grey one has no saturation and no hue to change."""
    changes = [
        (brightness, step.brightness_prob, rng.uniform(1 - step.brightness_range, 1 + step.brightness_range)),
        (contrast, step.contrast_prob, rng.uniform(1 - step.contrast_range, 1 + step.contrast_range)),
        (saturation, step.saturation_prob, rng.uniform(1 - step.saturation_range, 1 + step.saturation_range)),
        (hue, step.hue_prob, rng.uniform(-step.hue_range, step.hue_range)),
    ]
    chances = rng.random(len(changes))
    for which in rng.permutation(len(changes)):
        change, probability, amount = changes[which]
        colour = image.shape[2] == 3 or change in (brightness, contrast)
        if colour and chances[which] < probability:
            image = change(image, amount)
    return image


def brightness(image: Array, factor: float) -> Array:
    """Toward black (0) or away from it (above 1)."""
    return _pixels(image.astype(np.float32) * factor)


def contrast(image: Array, factor: float) -> Array:
    """Toward the mean grey (0) or away from it (above 1)."""
    mean = _grey(image).mean()
    return _pixels(mean + (image - mean) * factor)


def saturation(image: Array, factor: float) -> Array:
    """Toward each pixel's own grey (0) or away from it (above 1)."""
    grey = _grey(image)[:, :, np.newaxis]
    return _pixels(grey + (image - grey) * factor)


def hue(image: Array, degrees: float) -> Array:
    """Turn the colour wheel."""
    hsv = cv2.cvtColor(np.ascontiguousarray(image, dtype=np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0] + degrees) % 360
    return _pixels(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255)


def _grey(image: Array) -> Array:
    if image.shape[2] == 1:
        return image[:, :, 0].astype(np.float32)
    grey: Array = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return grey


def _pixels(values: Array) -> Array:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
