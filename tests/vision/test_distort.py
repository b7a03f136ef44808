"""Changes of colour are arithmetic, at any depth."""

from __future__ import annotations

import numpy as np
import pytest

from paddleprune.vision import distort
from paddleprune.vision.specs import RandomDistort

PIXELS = np.array([[[200, 100, 50], [0, 0, 0]]], np.uint8)
GREY = 0.299 * 200 + 0.587 * 100 + 0.114 * 50


def test_changes_of_colour() -> None:
    assert distort.brightness(PIXELS, 0.5)[0, 0].tolist() == [100, 50, 25]
    assert distort.brightness(PIXELS, 2)[0, 0].tolist() == [255, 200, 100]
    assert distort.brightness(PIXELS.astype(np.uint16), 2)[0, 0].tolist() == [400, 200, 100]
    assert distort.contrast(PIXELS, 0).tolist() == [[[round(350 / 6)] * 3] * 2]
    assert distort.saturation(PIXELS, 0)[0, 0].tolist() == [round(GREY)] * 3
    assert distort.saturation(PIXELS, 1).tolist() == PIXELS.tolist()
    assert distort.hue(PIXELS, 0).tolist() == PIXELS.tolist()
    assert distort.hue(PIXELS, 120)[0, 0].tolist() == [50, 200, 100]  # red moves to green, green to blue


@pytest.mark.parametrize("pixels", [PIXELS[:, :, :1], PIXELS.astype(np.uint16), PIXELS.astype(np.float32)])
def test_what_has_no_hue_is_only_made_brighter_or_darker(pixels: np.ndarray) -> None:
    step = RandomDistort(brightness_prob=0, contrast_prob=0, saturation_prob=1, hue_prob=1)
    assert distort.distort(step, pixels, np.random.default_rng(0)) is pixels
    brighter = distort.distort(RandomDistort(brightness_prob=1), pixels, np.random.default_rng(0))
    assert brighter.dtype == pixels.dtype
    assert not np.array_equal(brighter, pixels)


def test_each_change_comes_as_often_as_asked() -> None:
    step = RandomDistort(brightness_prob=0.25, contrast_prob=0, saturation_prob=0, hue_prob=0)
    changed = [distort.distort(step, PIXELS, np.random.default_rng(seed)) is not PIXELS for seed in range(400)]
    assert 0.15 < np.mean(changed) < 0.35
