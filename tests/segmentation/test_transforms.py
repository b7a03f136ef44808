"""Image and mask stay aligned, and no step invents a class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from paddleprune.errors import DataError
from paddleprune.specs import Contract
from paddleprune.vision import transforms
from paddleprune.vision.picture import Picture
from paddleprune.vision.sizes import sizes
from paddleprune.vision.specs import (
    Padding,
    RandomBlur,
    RandomDistort,
    RandomFilledRotate,
    RandomHorizontalFlip,
    RandomPaddingCrop,
    ResizeByLong,
    ResizeRangeScaling,
    ResizeStepScaling,
)
from paddleprune_segmentation import transform_specs as spec
from paddleprune_segmentation.config import SegmentationData
from paddleprune_segmentation.data.transforms import default_transforms

ANY = TypeAdapter(spec.Transform)
GEOMETRY = [
    (RandomHorizontalFlip(prob=1), (60, 90)),
    (spec.RandomVerticalFlip(prob=1), (60, 90)),
    (spec.Resize(target_size=(47, 31)), (47, 31)),
    (spec.Resize(target_size=120), (120, 120)),
    (ResizeByLong(long_size=45), (30, 45)),
    (ResizeRangeScaling(min_value=60, max_value=60), (40, 60)),
    (ResizeStepScaling(min_scale_factor=1.5, max_scale_factor=1.5), (90, 135)),
    (RandomPaddingCrop(crop_size=(40, 50)), (40, 50)),
    (RandomPaddingCrop(crop_size=100), (100, 100)),
    (Padding(target_size=(64, 100)), (64, 100)),
    (RandomFilledRotate(prob=1), (60, 90)),
]
COLOUR = [RandomDistort(), RandomBlur(prob=1)]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


Both = tuple[np.ndarray, np.ndarray]


def apply(step: Contract, image: np.ndarray, mask: np.ndarray, random: np.random.Generator) -> Both:
    moved = transforms.apply(step, Picture.of(image, mask), random)
    assert moved.mask is not None
    return moved.image, moved.mask


def preprocess(image: np.ndarray, mask: np.ndarray, steps: Any, random: np.random.Generator) -> Both:
    moved = transforms.preprocess(Picture.of(image, mask), steps, random)
    assert moved.mask is not None
    return moved.image, moved.mask


def blocks(channels: int = 3, dtype: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """A mask of large blocks, and an image whose pixels are 10 times their class: so each says where it came from."""
    mask = np.kron(rng().integers(0, 9, (4, 6)), np.ones((15, 15))).astype(np.uint8)
    return np.repeat(mask[:, :, np.newaxis], channels, axis=2).astype(dtype) * 10, mask


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (3, np.uint8), (6, np.uint16), (5, np.float32)])
@pytest.mark.parametrize(("step", "size"), GEOMETRY)
def test_image_and_mask_move_together(step: Any, size: tuple[int, int], channels: int, dtype: type) -> None:
    image, mask = blocks(channels, dtype)
    for seed in range(3):
        moved, classes = apply(step, image, mask, rng(seed))
        assert moved.shape == (*size, channels)
        assert classes.shape == size
        assert (moved.dtype, classes.dtype) == (image.dtype, np.uint8)
        assert set(np.unique(classes)) <= {*np.unique(mask), 255}
        known = classes != 255
        right = np.abs(moved[:, :, 0].astype(float) - classes.astype(float) * 10) < 1
        assert right[known].mean() > 0.85  # but at the borders of the blocks, where the image is interpolated
        again = apply(step, image, mask, rng(seed))
        assert all(np.array_equal(a, b) for a, b in zip((moved, classes), again, strict=True))


@pytest.mark.parametrize("step", COLOUR)
def test_colours_change_without_the_mask(step: Any) -> None:
    image, mask = blocks()
    changed = [apply(step, image, mask, rng(seed)) for seed in range(5)]
    assert any(not np.array_equal(pixels, image) for pixels, _ in changed)
    assert all(np.array_equal(classes, mask) for _, classes in changed)


def test_a_mask_is_never_interpolated() -> None:
    mask = np.where(rng().random((50, 50)) < 0.5, 0, 200).astype(np.uint8)
    image = np.zeros((50, 50, 1), np.uint8)
    for step in (spec.Resize(target_size=77), RandomFilledRotate(prob=1, rotate_range=45), spec.Resize(target_size=13)):
        assert set(np.unique(apply(step, image, mask, rng())[1])) <= {0, 200, 255}


def test_nearest_pixels_are_centred() -> None:
    """Halving keeps blocks of 2x2 where they are; a nearest neighbour that looks at corners would shift them."""
    mask = np.kron(rng().integers(0, 9, (8, 8)), np.ones((3, 3))).astype(np.uint8)
    small = apply(spec.Resize(target_size=8), np.zeros((24, 24, 1), np.uint8), mask, rng())[1]
    assert np.array_equal(small, mask[1::3, 1::3])


def test_what_is_added_is_ignored() -> None:
    image, mask = blocks()
    pixels, classes = apply(Padding(target_size=(61, 92)), image, mask, rng())
    assert (classes[60:] == 255).all()
    assert (classes[:, 90:] == 255).all()
    assert (pixels[60:] == 127).all()
    assert (apply(Padding(target_size=(61, 90), im_padding_value=3), image, mask, rng())[0][60] == 3).all()
    _, turned = apply(RandomFilledRotate(prob=1, rotate_range=40), image, mask, rng(3))
    assert turned[0, 0] == turned[-1, -1] == 255


@pytest.mark.parametrize(("dtype", "middle"), [(np.uint8, 127), (np.uint16, 32767), (np.float32, 0.5)])
def test_padding_is_the_middle_of_the_range(dtype: type, middle: float) -> None:
    image = np.zeros((2, 2, 5), dtype)
    assert (apply(Padding(target_size=(2, 3)), image, image[:, :, 0].astype(np.uint8), rng())[0][:, 2] == middle).all()


def test_too_large_for_padding_is_named() -> None:
    image, mask = blocks()
    with pytest.raises(DataError, match="Padding to 50x200 can't hold the image, 60x90; resize it first"):
        apply(Padding(target_size=(50, 200)), image, mask, rng())


def test_crops_and_factors_reach_everything() -> None:
    image, mask = blocks()
    corners = {apply(RandomPaddingCrop(crop_size=(58, 88)), image, mask, rng(s))[1].tobytes() for s in range(80)}
    assert len(corners) > 2
    step = ResizeStepScaling(min_scale_factor=0.5, max_scale_factor=1.0, scale_step_size=0.25)
    heights = {apply(step, image, mask, rng(s))[1].shape[0] for s in range(40)}
    assert heights == {30, 45, 60}
    free = ResizeStepScaling(min_scale_factor=0.5, max_scale_factor=1.0, scale_step_size=0)
    assert len({apply(free, image, mask, rng(s))[1].shape[0] for s in range(40)}) > 10
    long = {apply(ResizeRangeScaling(min_value=30, max_value=32), image, mask, rng(s))[1].shape[1] for s in range(40)}
    assert long == {30, 31, 32}


@pytest.mark.parametrize(("dtype", "largest"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_normalize_is_arithmetic(dtype: type, largest: float) -> None:
    image = (rng().random((4, 5, 6)) * largest).astype(dtype)
    step = spec.Normalize(mean=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), std=(0.25,))
    pixels, _ = preprocess(image, np.zeros((4, 5), np.uint8), [step], rng())
    expected = (image / largest - np.array(step.mean)) / 0.25
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, expected.transpose(2, 0, 1), atol=1e-5)
    ten = apply(spec.Normalize(mean=(0.0,), std=(1.0,), max_val=10), image, image[:, :, 0], rng())[0]
    np.testing.assert_allclose(ten, image / 10, rtol=1e-5)


def test_normalize_for_other_channels_is_refused() -> None:
    with pytest.raises(DataError, match="values for 2 channels, but the image has 3"):
        apply(spec.Normalize(mean=(0.1, 0.2)), *blocks(), rng())


def test_sizes_follow_the_steps() -> None:
    steps = (
        ResizeByLong(long_size=45),
        Padding(target_size=(45, 48)),
        spec.Resize(target_size=8),
        spec.Normalize(),
    )
    image, mask = blocks()
    expected = []
    for step in steps:
        expected.append(mask.shape)
        image, mask = apply(step, image, mask, rng())
    assert sizes(steps, (60, 90)) == expected


@pytest.mark.parametrize("size", [(32, 32), (32, 64)])
def test_defaults_fit_the_input(size: tuple[int, int]) -> None:
    image, mask = blocks()
    for split in ("train", "eval"):
        pixels, classes = preprocess(image, mask, default_transforms(split, size), rng())
        assert (pixels.shape, classes.shape) == ((3, *size), size)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"name": "Resise"}, "Resise"),
        ({"name": "Resize", "target_size": 0}, "greater than or equal to 1"),
        ({"name": "Resize", "size": 8}, "Extra inputs"),
        ({"name": "ResizeRangeScaling", "min_value": 9, "max_value": 8}, "min_value 9 is above max_value 8"),
        ({"name": "ResizeStepScaling", "min_scale_factor": 2}, "min_scale_factor 2.0 is above max_scale_factor 1.25"),
        ({"name": "Normalize", "std": [0.0]}, "greater than 0"),
        ({"name": "RandomBlur", "prob": 1.5}, "less than or equal to 1"),
    ],
)
def test_steps_that_cannot_work_are_refused(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ANY.validate_python(bad)


def test_normalize_comes_last(train_data: SegmentationData) -> None:
    steps = [{"name": "Normalize"}, {"name": "RandomBlur"}]
    with pytest.raises(ValidationError, match="Normalize must be the last"):
        SegmentationData.model_validate({**train_data.model_dump(), "transforms": steps})
