"""A mask and a box that ride along stay on the pixels that they are of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paddleprune.errors import DataError
from paddleprune.vision import specs as spec
from paddleprune.vision.objects import make_objects
from paddleprune.vision.picture import Picture
from paddleprune.vision.sizes import undone
from paddleprune.vision.transforms import apply, preprocess

BOX = (20, 10, 50, 40)
SIZE = (60, 90)
STEPS = [
    spec.RandomHorizontalFlip(prob=1),
    spec.RandomVerticalFlip(prob=1),
    spec.RandomCrop(crop_size=(48, 64), lower_scale=0.6),
    spec.CenterCrop(crop_size=(50, 70)),
    spec.RandomPaddingCrop(crop_size=(55, 100)),
    spec.Resize(target_size=(33, 47)),
    spec.InterpolatedResize(target_size=(33, 47), interp="CUBIC"),
    spec.ResizeByShort(short_size=45),
    spec.ResizeByLong(long_size=45),
    spec.ResizeRangeScaling(min_value=70, max_value=120),
    spec.ResizeStepScaling(),
    spec.Padding(target_size=(64, 96)),
    spec.StridePadding(coarsest_stride=32),
    spec.Letterbox(target_size=80),
    spec.RandomExpand(prob=1, ratio=2),
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture() -> Picture:
    """A black image with a white box, which has class 1."""
    left, top, right, bottom = BOX
    mask = np.zeros(SIZE, np.uint8)
    mask[top:bottom, left:right] = 1
    return Picture.of(np.repeat(mask[:, :, np.newaxis] * np.uint8(255), 3, axis=2), mask, make_objects([BOX], [0]))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_what_rides_along_stays_on_its_pixels(step: Any) -> None:
    for seed in range(5):
        after = apply(step, picture(), rng(seed))
        assert after.mask is not None
        assert after.image.shape[:2] == after.mask.shape == after.size
        rows, columns = np.nonzero(after.mask == 1)
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(after.objects.boxes[0], found, atol=1)
        white = after.image[:, :, 0] > 200
        assert (white == (after.mask == 1)).mean() > 0.97


def test_a_mask_is_turned_and_a_box_is_not() -> None:
    whole = picture()
    turned = apply(spec.RandomRotate(prob=1), whole._replace(objects=make_objects([], [])), rng())
    assert turned.mask is not None
    assert set(np.unique(turned.mask)) == {0, 1, 255}
    with pytest.raises(DataError, match="boxes can't be turned with their image; leave the rotation out"):
        preprocess(whole, [spec.RandomRotate(prob=1)], rng())


@pytest.mark.parametrize(
    "steps",
    [
        [spec.Resize(target_size=(30, 45))],
        [spec.ResizeByShort(short_size=120), spec.StridePadding(coarsest_stride=32)],
        [spec.ResizeByLong(long_size=64), spec.Padding(target_size=64), spec.Normalize()],
        [spec.Letterbox(target_size=(100, 64)), spec.Normalize()],
    ],
)
def test_what_is_said_of_pixels_returns_to_them(steps: list[Any]) -> None:
    """A plane that is 1 where the box came to lie becomes one that is 1 where it was."""
    whole = picture()
    after = preprocess(whole, steps, rng())
    assert after.mask is not None
    plane = undone((after.mask == 1).astype(np.float32), steps, SIZE)
    assert plane.shape == SIZE
    assert ((plane > 0.5) == (whole.mask == 1)).mean() > 0.98


def test_a_random_step_is_found() -> None:
    fixed = [spec.Resize(), spec.InterpolatedResize(interp="CUBIC"), spec.Normalize()]
    assert spec.random_step(fixed) is None
    assert spec.random_step([*fixed, spec.InterpolatedResize(interp="RANDOM")]) == "Resize"
    assert spec.random_step([*fixed, spec.RandomFilledRotate(), spec.RandomBlur()]) == "RandomRotate"
