"""Each step against plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from paddleprune.errors import DataError
from paddleprune.specs import Contract
from paddleprune.vision import transforms
from paddleprune.vision.picture import Picture
from paddleprune_classification import transform_specs as spec
from paddleprune_classification.config import ClassificationData
from paddleprune_classification.data.transforms import default_transforms

ANY = TypeAdapter(spec.Transform)
IMAGE = np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def apply(step: Contract, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return transforms.apply(step, Picture.of(image), random).image


def preprocess(image: np.ndarray, steps: list[Contract], random: np.random.Generator) -> np.ndarray:
    return transforms.preprocess(Picture.of(image), steps, random).image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("step", "shape"),
    [
        (spec.RandomCrop(crop_size=8), (8, 8)),
        (spec.RandomCrop(crop_size=(8, 12)), (8, 12)),
        (spec.CenterCrop(crop_size=(9, 8)), (9, 8)),
        (spec.RandomHorizontalFlip(), (20, 31)),
        (spec.RandomVerticalFlip(), (20, 31)),
        (spec.RandomRotate(prob=1), (20, 31)),
        (spec.RandomDistort(), (20, 31)),
        (spec.ResizeByShort(short_size=10), (10, 16)),
        (spec.ResizeByShort(short_size=40), (40, 62)),
        (spec.ResizeByShort(short_size=40, max_size=31), (20, 31)),
        (spec.Resize(target_size=(5, 6)), (5, 6)),
    ],
)
def test_shapes_and_repeatability(step: Any, shape: tuple[int, int], channels: int) -> None:
    image = IMAGE[:, :, :channels]
    for seed in range(5):
        result = apply(step, image, rng(seed))
        assert result.shape == (*shape, channels)
        assert result.dtype == np.uint8
        assert np.array_equal(result, apply(step, image, rng(seed)))


def test_flips_mirror() -> None:
    assert np.array_equal(apply(spec.RandomHorizontalFlip(prob=1), IMAGE, rng()), IMAGE[:, ::-1])
    assert np.array_equal(apply(spec.RandomVerticalFlip(prob=1), IMAGE, rng()), IMAGE[::-1])
    assert np.array_equal(apply(spec.RandomHorizontalFlip(prob=0), IMAGE, rng()), IMAGE)
    flipped = sum(apply(spec.RandomHorizontalFlip(), IMAGE, rng(s)) is not IMAGE for s in range(400))
    assert 160 < flipped < 240


def test_center_crop_takes_the_middle() -> None:
    assert np.array_equal(apply(spec.CenterCrop(crop_size=(10, 11)), IMAGE, rng()), IMAGE[5:15, 10:21])


def test_random_crop_cuts_parts_within_its_bounds() -> None:
    """A ramp says which columns and rows were cut, so scale and proportions can be read off."""
    ramp = np.dstack([np.tile(np.arange(200, dtype=np.uint8), (200, 1))] * 3)
    ramp[:, :, 1] = ramp[:, :, 0].T
    step = spec.RandomCrop(crop_size=200, lower_scale=0.25, lower_ratio=0.5, upper_ratio=2)
    areas = []
    for seed in range(60):
        cut = apply(step, ramp, rng(seed)).astype(int)
        width, height = np.ptp(cut[:, :, 0]) + 1, np.ptp(cut[:, :, 1]) + 1
        assert 0.48 < width / height < 2.1
        areas.append(width * height / 200**2)
    assert 0.23 < min(areas) < 0.35
    assert 0.7 < max(areas) <= 1


def test_random_crop_of_everything_is_a_resize() -> None:
    step = spec.RandomCrop(crop_size=(20, 31), lower_scale=1, lower_ratio=31 / 20, upper_ratio=31 / 20)
    assert np.array_equal(apply(step, IMAGE, rng()), IMAGE)


def test_random_crop_of_a_thin_image() -> None:
    assert apply(spec.RandomCrop(crop_size=4), IMAGE[:1], rng()).shape == (4, 4, 3)


def test_rotation_by_nothing_and_by_half_a_turn() -> None:
    assert np.array_equal(apply(spec.RandomRotate(rotate_range=0, prob=1), IMAGE, rng()), IMAGE)
    smooth = np.dstack([np.outer(np.arange(21), np.arange(21)).astype(np.uint8)] * 3)
    turned = apply(spec.RandomRotate(rotate_range=30, prob=1), smooth, rng(3))
    assert not np.array_equal(turned, smooth)
    assert np.array_equal(turned[10, 10], smooth[10, 10])  # about its middle


def test_normalize_is_arithmetic() -> None:
    step = spec.Normalize(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0))
    expected = (IMAGE / 255 - np.array([0.1, 0.2, 0.3])) / np.array([0.5, 0.25, 1.0])
    result = preprocess(IMAGE, [step], rng())
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected.transpose(2, 0, 1), atol=1e-6)


def test_normalize_for_colour_refuses_grey() -> None:
    with pytest.raises(DataError, match="values for 3 channels, but the image has 1"):
        apply(spec.Normalize(), IMAGE[:, :, :1], rng())


def test_distortion_without_probability_changes_nothing() -> None:
    still = spec.RandomDistort(brightness_prob=0, contrast_prob=0, saturation_prob=0, hue_prob=0)
    assert apply(still, IMAGE, rng()) is IMAGE


def test_evaluation_defaults_are_the_usual_ones() -> None:
    resize, crop, normalize = default_transforms("eval", (224, 224), 3)
    assert resize == spec.ResizeByShort(short_size=256)
    assert crop == spec.CenterCrop(crop_size=224)
    assert normalize == spec.Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def test_json_round_trip() -> None:
    for step in (*default_transforms("train", (8, 9), 1), spec.RandomDistort(), spec.RandomRotate()):
        assert ANY.validate_python(step.model_dump(mode="json")) == step


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "Blur"},
        {"name": "RandomCrop", "crop_size": 0},
        {"name": "RandomCrop", "crop_size": True},
        {"name": "RandomCrop", "lower_ratio": 2, "upper_ratio": 1},
        {"name": "RandomCrop", "lower_scale": float("nan")},
        {"name": "RandomHorizontalFlip", "prob": 1.5},
        {"name": "RandomHorizontalFlip", "probability": 0.5},
        {"name": "ResizeByShort", "max_size": 0},
        {"name": "ResizeByShort", "short_size": 1_000_000},
        {"name": "Resize", "target_size": 10**30},
        {"name": "Normalize", "std": [0.0]},
        {"name": "Normalize", "std": [float("inf")]},
        {"name": "Normalize", "mean": [0.5, 0.5]},
        {"crop_size": 3},
    ],
)
def test_steps_that_cannot_work_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ANY.validate_python(bad)


def test_what_would_fill_the_memory_is_refused() -> None:
    thin = np.zeros((1, 20_000, 3), np.uint8)
    with pytest.raises(DataError, match="it would become 16384x327680000; at most"):
        preprocess(thin, [spec.ResizeByShort(short_size=16_384)], np.random.default_rng(0))


def test_normalize_must_come_last() -> None:
    steps = [{"name": "Normalize"}, {"name": "CenterCrop"}]
    with pytest.raises(ValidationError, match="Normalize must be the last"):
        ClassificationData.model_validate({"data_dir": ".", "transforms": steps})
