"""Boxes move with the pixels: against boxes computed by hand, and against where a bright patch really lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from paddleprune.errors import DataError
from paddleprune.vision.frame import frame_of, restored
from paddleprune.vision.objects import make_objects
from paddleprune.vision.picture import INTERPOLATIONS, Picture, cut_out, placed
from paddleprune.vision.specs import (
    Letterbox,
    Normalize,
    RandomDistort,
    RandomExpand,
    RandomHorizontalFlip,
    StridePadding,
)
from paddleprune.vision.transforms import apply, preprocess
from paddleprune_detection import transform_specs as spec
from paddleprune_detection.config import DetectionData
from paddleprune_detection.data.mixture import mixed
from paddleprune_detection.data.targets import collate_targets
from paddleprune_detection.data.transforms import default_transforms

ANY = TypeAdapter(spec.Transform)
BOX = (30.0, 16.0, 50.0, 40.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture(*boxes: tuple[float, ...], size: tuple[int, int] = (60, 90), channels: int = 3) -> Picture:
    """A black image on which each box is white."""
    image = np.zeros((*size, channels), np.uint8)
    for left, top, right, bottom in boxes:
        image[int(top) : int(bottom), int(left) : int(right)] = 255
    return Picture.of(image, objects=make_objects(boxes, list(range(len(boxes)))))


def bright(image: np.ndarray, level: int = 128) -> list[int]:
    """The box around the pixels that are brighter than that."""
    there = image[:, :, 0] > level
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


@pytest.mark.parametrize(
    ("step", "size", "box"),
    [
        (RandomHorizontalFlip(prob=1), (60, 90), (40, 16, 60, 40)),
        (RandomHorizontalFlip(prob=0), (60, 90), BOX),
        (spec.Resize(target_size=(120, 45)), (120, 45), (15, 32, 25, 80)),
        (spec.Resize(target_size=(60, 90)), (60, 90), BOX),
        (spec.ResizeByShort(short_size=30), (30, 45), (15, 8, 25, 20)),
        (spec.ResizeByShort(short_size=120, max_size=90), (60, 90), BOX),
        (spec.ResizeByShort(short_size=120, max_size=-1), (120, 180), (60, 32, 100, 80)),
        (StridePadding(coarsest_stride=32), (64, 96), BOX),
        (StridePadding(), (60, 90), BOX),
        (Letterbox(target_size=90), (90, 90), (30, 31, 50, 55)),
        (Letterbox(target_size=(120, 240)), (120, 240), (90, 32, 130, 80)),
        (Letterbox(target_size=(45, 45)), (45, 45), (15, 15, 25, 27)),
        (RandomDistort(), (60, 90), BOX),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_box_is_where_arithmetic_says(
    step: Any, size: tuple[int, int], box: tuple[float, ...], channels: int
) -> None:
    before = picture(BOX, channels=channels)
    after = apply(step, before, rng())
    assert after.image.shape == (*size, channels)
    assert after.image.dtype == np.uint8
    assert after.objects.boxes.tolist() == [list(box)]
    assert after.objects.boxes.dtype == np.float32
    if not isinstance(step, RandomDistort):
        assert np.abs(np.array(bright(after.image)) - box).max() <= 1
    frame = after.frame
    np.testing.assert_allclose(restored(after.objects.boxes, *frame), [BOX], atol=1e-4)
    assert frame.size.tolist() == [60, 90]


@pytest.mark.parametrize("way", ["NEAREST", "LINEAR", "CUBIC", "AREA", "LANCZOS4"])
def test_every_interpolation_keeps_boxes_on_their_pixels(way: Any) -> None:
    after = apply(spec.Resize(target_size=(150, 135), interp=way), picture(BOX), rng())
    assert after.objects.boxes.tolist() == [[45, 40, 75, 100]]
    assert np.abs(np.array(bright(after.image)) - [45, 40, 75, 100]).max() <= 1


def test_random_interpolation_takes_each_way() -> None:
    noisy = picture(BOX)._replace(image=rng().integers(0, 256, (60, 90, 3)).astype(np.uint8))
    ways = [apply(spec.Resize(target_size=47, interp=way), noisy, rng()).image.tobytes() for way in INTERPOLATIONS]
    assert len(set(ways)) == 5
    drawn = {
        apply(spec.Resize(target_size=47, interp="RANDOM"), noisy, rng(seed)).image.tobytes() for seed in range(60)
    }
    assert drawn == set(ways)


def test_expansion_places_the_image_somewhere_on_a_larger_one() -> None:
    step, corners = RandomExpand(prob=1, ratio=2, fill_value=(40.0,)), set()
    for seed in range(30):
        after = apply(step, picture(BOX), rng(seed))
        assert 60 <= after.image.shape[0] <= 120
        assert after.image.shape[1] == pytest.approx(after.image.shape[0] * 1.5, abs=1.5)
        box = after.objects.boxes[0]
        assert bright(after.image) == box.tolist()
        assert (box[2] - box[0], box[3] - box[1]) == (20, 24)
        corners.add((box[0], box[1]))
        np.testing.assert_allclose(restored(box, *after.frame), [BOX])
        assert np.isin(after.image, (0, 40, 255)).all()
    assert len(corners) > 20
    assert apply(RandomExpand(prob=0), picture(BOX), rng()).image.shape == (60, 90, 3)
    coloured = apply(RandomExpand(prob=1, fill_value=(1.0, 2.0, 3.0)), picture(BOX), rng()).image
    assert coloured[-1, 0].tolist() in ([1, 2, 3], [0, 0, 0])
    with pytest.raises(DataError, match="RandomExpand has values for 3 channels, but the image has 1"):
        apply(RandomExpand(), picture(BOX, channels=1), rng())


def test_a_part_cuts_boxes_off_and_drops_what_lies_outside() -> None:
    whole = picture((10, 10, 30, 30), (25, 25, 60, 50), (70, 40, 90, 60))
    part = cut_out(whole, (30, 40), (20, 15))
    assert part.image.shape == (30, 40, 3)
    assert part.objects.boxes.tolist() == [[0, 0, 15, 10], [10, 5, 40, 30]]
    assert part.objects.classes.tolist() == [0, 1]
    assert bright(part.image[:5]) == [0, 0, 15, 5]
    np.testing.assert_allclose(restored(part.objects.boxes, *part.frame), [[15, 20, 30, 30], [25, 25, 55, 50]])


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = max(0, sides[0]) * max(0, sides[1])
    return float(both / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both))


def test_a_random_crop_holds_an_object_as_well_as_asked() -> None:
    boxes = np.array([BOX, (2, 2, 12, 12), (60, 30, 85, 55)])
    step, shapes = spec.RandomCrop(thresholds=(0.2,), allow_no_crop=False), set()
    for seed in range(60):
        after = apply(step, picture(*map(tuple, boxes)), rng(seed))
        height, width = after.image.shape[:2]
        shapes.add((height, width))
        if (height, width) == (60, 90):  # no part was found
            assert len(after.objects.classes) == 3
            continue
        left, top = -after.frame.offset
        part = np.array([left, top, left + width, top + height])
        assert max(overlap(part, box) for box in boxes) >= 0.2
        assert 0.3 * 0.3 - 0.02 <= height * width / 5400 <= 1
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        kept = ((middles >= part[:2]) & (middles < part[2:])).all(1)
        assert after.objects.classes.tolist() == np.flatnonzero(kept).tolist()
        expected = np.clip(boxes[kept] - [left, top, left, top], 0, [width, height] * 2)
        assert after.objects.boxes.tolist() == expected.tolist()
    assert len(shapes) > 30


def test_a_crop_that_covers_every_object_keeps_them_all() -> None:
    step = spec.RandomCrop(thresholds=(0.01,), allow_no_crop=False, cover_all_box=True)
    cropped = [apply(step, picture((10, 10, 40, 40), (50, 20, 80, 50)), rng(seed)) for seed in range(40)]
    assert any(after.image.shape != (60, 90, 3) for after in cropped)
    for after in cropped:
        left, top = -after.frame.offset
        part = np.array([left, top, left + after.size[1], top + after.size[0]])
        assert min(overlap(part, np.array(box)) for box in ((10, 10, 40, 40), (50, 20, 80, 50))) >= 0.01


def test_a_crop_may_stay_whole() -> None:
    before = picture(BOX)
    assert any(apply(spec.RandomCrop(thresholds=(0.3,)), before, rng(seed)) is before for seed in range(20))
    impossible = spec.RandomCrop(thresholds=(1.0,), allow_no_crop=False, scaling=(0.3, 0.4))
    assert apply(impossible, before, rng()) is before
    assert apply(spec.RandomCrop(allow_no_crop=False), picture(), rng()).image.shape == (60, 90, 3)


def test_a_part_is_never_larger_than_the_image() -> None:
    step = spec.RandomCrop(scaling=(1.0, 1.0), aspect_ratio=(1.5, 2.0), thresholds=(0.0,), allow_no_crop=False)
    for seed in range(10):
        height, width = apply(step, picture((0, 0, 90, 60)), rng(seed)).size
        assert 60 / np.sqrt(2) - 1 <= height <= 60 / np.sqrt(1.5)
        assert width == 90


def test_mixing_blends_pixels_and_shares_weights() -> None:
    first, second = picture(BOX), picture((5, 60, 25, 70), size=(80, 40))
    both = mixed(first, second, 0.75)
    assert both.image.shape == (80, 90, 3)
    assert both.image[20, 40].tolist() == [191] * 3
    assert both.image[65, 10].tolist() == [64] * 3
    assert both.image[79, 89].tolist() == [0] * 3
    assert both.objects.boxes.tolist() == [list(BOX), [5, 60, 25, 70]]
    assert both.objects.weights.tolist() == [0.75, 0.25]
    assert both.objects.classes.tolist() == [0, 0]
    assert len(mixed(first, second, 1.0).objects.classes) == 1


def test_a_flag_and_a_class_stay_with_their_box() -> None:
    image = np.zeros((60, 90, 3), np.uint8)
    boxes = [(0, 0, 5, 5), (40, 30, 60, 50), (80, 50, 90, 60)]
    objects = make_objects(boxes, [4, 7, 9], difficult=[False, True, False], crowd=[True, False, True])
    part = cut_out(Picture.of(image, objects=objects), (20, 30), (30, 40)).objects
    assert (part.classes.tolist(), part.difficult.tolist(), part.crowd.tolist()) == ([7], [True], [False])


@pytest.mark.parametrize("size", [(32, 32), (32, 64)])
@pytest.mark.parametrize("channels", [1, 3])
def test_defaults_fit_the_input(size: tuple[int, int], channels: int) -> None:
    for seed in range(8):
        for before in (picture(BOX, channels=channels), picture(channels=channels)):
            train = preprocess(before, default_transforms("train", size, channels), rng(seed))
            val = preprocess(before, default_transforms("eval", size, channels), rng(seed))
            for after in (train, val):
                assert after.image.shape == (channels, *size)
                assert after.image.dtype == np.float32
                boxes = after.objects.boxes
                assert len(boxes) == len(before.objects.boxes)
                assert (boxes[:, :2] < boxes[:, 2:]).all()
                assert (boxes >= 0).all()
                assert (boxes <= [size[1], size[0]] * 2).all()
            again = preprocess(before, default_transforms("train", size, channels), rng(seed))
            assert np.array_equal(train.image, again.image)
            assert train.objects.boxes.tolist() == again.objects.boxes.tolist()


def test_normalize_is_arithmetic() -> None:
    before = picture(BOX)._replace(image=rng().integers(0, 256, (60, 90, 3)).astype(np.uint8))
    after = preprocess(before, [Normalize(mean=(0.1, 0.2, 0.3), std=(0.5,))], rng())
    expected = (before.image / 255 - [0.1, 0.2, 0.3]) / 0.5
    np.testing.assert_allclose(after.image, expected.transpose(2, 0, 1), atol=1e-5)
    with pytest.raises(DataError, match="Normalize has values for 3 channels, but the image has 1"):
        apply(Normalize(), picture(channels=1), rng())


def test_a_batch_is_padded() -> None:
    some, none = make_objects([BOX, (1, 2, 3, 4)], [5, 6], difficult=[True, False]), make_objects([], [])
    batch = collate_targets([(some, frame_of(60, 90), 3), (none, frame_of(30, 40).then((2, 3), (5, 7)), 8)])
    assert batch["boxes"].tolist() == [[list(BOX), [1, 2, 3, 4]], [[0] * 4] * 2]
    assert batch["classes"].tolist() == [[5, 6], [-1, -1]]
    assert batch["difficult"].tolist() == [[True, False], [False, False]]
    assert batch["weights"].tolist() == [[1, 1], [0, 0]]
    assert batch["scale"].tolist() == [[1, 1], [2, 3]]
    assert batch["offset"].tolist() == [[0, 0], [5, 7]]
    assert batch["size"].tolist() == [[60, 90], [30, 40]]
    assert batch["image"].tolist() == [3, 8]
    assert collate_targets([(none, frame_of(3, 4), 0)])["boxes"].shape == (1, 1, 4)


def test_restored_boxes_end_at_the_image() -> None:
    frame = frame_of(30, 40).then((2, 2), (10, 0))
    assert restored(np.array([[0, -4, 100, 20]]), *frame).tolist() == [[0, 0, 40, 10]]
    assert restored(np.zeros((0, 4)), *frame).shape == (0, 4)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"name": "Resise"}, "Resise"),
        ({"name": "Resize", "target_size": 0}, "greater than or equal to 1"),
        ({"name": "Resize", "interp": "BICUBIC"}, "'CUBIC'"),
        ({"name": "Resize", "size": 8}, "Extra inputs"),
        ({"name": "ResizeByShort", "max_size": 0}, "max_size must be positive, or -1 for any, not 0"),
        ({"name": "RandomExpand", "ratio": 0.5}, "greater than or equal to 1"),
        (
            {"name": "RandomCrop", "aspect_ratio": [2, 1]},
            "aspect_ratio goes from 2.0 to 1.0; write the least",
        ),
        ({"name": "RandomCrop", "scaling": [0.3, 1.5]}, r"scaling goes up to 1.5; a part is no larger than its image"),
        ({"name": "RandomCrop", "thresholds": []}, "at least 1 item"),
        ({"name": "MixupImage", "alpha": 0}, "greater than 0"),
        ({"name": "Normalize", "std": [0.0]}, "greater than 0"),
    ],
)
def test_steps_that_cannot_work_are_refused(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ANY.validate_python(bad)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"name": "Normalize"}, {"name": "RandomCrop"}], "Normalize must be the last"),
        ([{"name": "RandomCrop"}, {"name": "MixupImage"}], "MixupImage must be the first"),
    ],
)
def test_the_order_of_steps_is_checked(steps: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DetectionData.model_validate({"data_dir": ".", "ann_file": "a.json", "transforms": steps})


def test_a_placed_image_keeps_its_type() -> None:
    after = placed(picture(BOX), (100, 100), (5, 6), 12.6)
    assert after.image.dtype == np.uint8
    assert after.image[0, 0].tolist() == [13] * 3
