"""Decoding of real files, shapes, and randomness that depends on seed, epoch and index alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from det_files import draw, voc_xml, write_coco, write_voc
from images import write

from paddleprune.api.loading import check_labels
from paddleprune.errors import ConfigError, DataError
from paddleprune.specs import ImageOptions, Split
from paddleprune_detection.config import DetectionData
from paddleprune_detection.data.dataset import ObjectDataset

OPTIONS = ImageOptions(num_classes=2, input_size=(48, 64))
PLAIN = [{"name": "Normalize", "mean": [0.0], "std": [1.0]}]
MIXUP = [{"name": "MixupImage", "mixup_epoch": 2}, *PLAIN]


def opened(folder: Path, split: Split = "train", steps: Any = None, options: ImageOptions = OPTIONS) -> ObjectDataset:
    config = DetectionData.from_directory(folder, split)
    return ObjectDataset(DetectionData.model_validate({**config.model_dump(), "transforms": steps}), split, options)


def same(first: Any, second: Any) -> bool:
    ((image,), (objects, frame, index)), ((other,), (others, other_frame, other_index)) = first, second
    parts = zip((image, *objects, *frame), (other, *others, *other_frame), strict=True)
    return index == other_index and all(np.array_equal(a, b) for a, b in parts)


def test_samples_are_the_files(voc_folder: Path, coco_folder: Path) -> None:
    for folder in (voc_folder, coco_folder):
        data = opened(folder, steps=PLAIN)
        assert (len(data), tuple(data.labels)) == (3, ("disc", "box"))
        for index in range(3):
            image, boxes, classes = draw(index)
            (pixels,), (objects, frame, number) = data[index]
            np.testing.assert_allclose(pixels, image[:, :, ::-1].transpose(2, 0, 1) / 255, atol=1e-6)
            assert objects.boxes.tolist() == [list(box) for box in boxes]
            assert objects.classes.tolist() == classes
            assert (frame.scale.tolist(), frame.offset.tolist(), frame.size.tolist()) == ([1, 1], [0, 0], [48, 64])
            assert number == index


def test_classes_are_matched_by_name(coco_folder: Path) -> None:
    first, content = opened(coco_folder), json.loads((coco_folder / "train.json").read_text())
    ids = [category["id"] for category in content["categories"]]
    other = dict(zip(ids, reversed(ids), strict=True))
    for category in content["categories"]:
        category["id"] = other[category["id"]]
    for annotation in content["annotations"]:
        annotation["category_id"] = other[annotation["category_id"]]
    (coco_folder / "train.json").write_text(json.dumps(content))
    second = opened(coco_folder)
    assert list(second.labels) == list(reversed(first.labels))
    check_labels(second, first.labels, "the training data")
    assert second.labels == first.labels
    for a, b in zip(first.items, second.items, strict=True):
        np.testing.assert_array_equal(a.objects.classes, b.objects.classes)
    with pytest.raises(DataError, match=r"train\.json has the class 'box', which the training data lacks"):
        check_labels(second, ["disc"], "the training data")
    with pytest.raises(DataError, match=r"train\.json lacks the class 'zebra', which a model has"):
        check_labels(second, [*first.labels, "zebra"], "a model")


def test_batches(voc_folder: Path) -> None:
    data = opened(voc_folder, steps=PLAIN)
    (images,), targets = data.collate([data[2], data[0]])
    assert images.shape == (2, 3, 48, 64)
    assert targets["image"].tolist() == [2, 0]
    counts = (targets["classes"] >= 0).sum(1).tolist()
    assert counts == [len(draw(2)[2]), len(draw(0)[2])]


def test_the_usual_transforms_fit_any_input(voc_folder: Path) -> None:
    options = ImageOptions(num_classes=2, input_size=(32, 96), input_channels=1)
    for split in ("train", "eval"):
        (pixels,), _ = opened(voc_folder, split, options=options)[0]
        assert pixels.shape == (1, 32, 96)


def test_randomness_is_that_of_seed_epoch_and_index(tmp_path: Path) -> None:
    data, again = (opened(write_voc(tmp_path / name, train=6)) for name in ("a", "b"))
    for dataset in (data, again):
        dataset.set_epoch(seed=3, epoch=7)
    first = [data[index] for index in range(6)]
    assert all(same(again[index], first[index]) for index in reversed(range(6)))
    again.set_epoch(seed=3, epoch=8)
    assert sum(same(again[index], first[index]) for index in range(6)) < 3
    again.set_epoch(seed=4, epoch=7)
    assert sum(same(again[index], first[index]) for index in range(6)) < 3


def test_mixing_takes_another_image_in_the_first_epochs_only(voc_folder: Path) -> None:
    data, plain = opened(voc_folder, steps=MIXUP), opened(voc_folder, steps=PLAIN)
    for epoch in (1, 2, 3):
        data.set_epoch(seed=0, epoch=epoch)
        for index in range(3):
            (image,), (objects, _, _) = data[index]
            assert same(data[index], data[index])
            if epoch == 3:
                assert same(data[index], plain[index])
                continue
            (own,), (mine, _, _) = plain[index]
            share = objects.weights[0]
            others = [plain[other] for other in range(3) if other != index]
            close = [np.abs(share * own + (1 - share) * inputs[0] - image).max() < 0.01 for inputs, _ in others]
            assert close.count(True) == 1
            theirs = others[close.index(True)][1][0]
            assert objects.boxes.tolist() == [*mine.boxes.tolist(), *theirs.boxes.tolist()]
            expected = [share] * len(mine.classes) + [1 - share] * len(theirs.classes)
            np.testing.assert_allclose(objects.weights, expected, atol=1e-6)


def test_mixing_is_off_by_default_and_needs_two_images(tmp_path: Path) -> None:
    data = opened(write_coco(tmp_path / "three"), steps=[{"name": "MixupImage"}, *PLAIN])
    data.set_epoch(seed=0, epoch=1)
    assert data[0][1][0].weights.tolist() == [1] * len(draw(0)[2])
    alone = opened(write_coco(tmp_path / "one", train=1), steps=MIXUP)
    alone.set_epoch(seed=0, epoch=1)
    assert alone[0][1][0].weights.tolist() == [1] * len(draw(0)[2])


def test_an_image_without_objects_is_a_sample(voc_folder: Path) -> None:
    (voc_folder / "Annotations/train_1.xml").write_text(voc_xml((48, 64), [], []))
    for steps in (None, MIXUP):
        data = opened(voc_folder, steps=steps)
        data.set_epoch(seed=0, epoch=1)
        (pixels,), (objects, _, _) = data[1]
        assert pixels.shape == (3, 48, 64)
        assert objects.boxes.shape == (len(objects.classes), 4)


@pytest.mark.parametrize("layout", [write_voc, write_coco])
def test_an_image_of_another_size_than_its_annotation_says(tmp_path: Path, layout: Any) -> None:
    layout(tmp_path)
    write(tmp_path / "JPEGImages/train_1.png", np.zeros((64, 48, 3), np.uint8))
    data = opened(tmp_path)
    with pytest.raises(DataError, match=r"train_1.png is 48 wide and 64 high, but its annotation says 64 and 48$"):
        data[1]


def test_what_is_no_image_is_named_with_its_place(voc_folder: Path) -> None:
    (voc_folder / "JPEGImages/train_2.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"train_list.txt:3: .*train_2.png is not an image that OpenCV can decode"):
        opened(voc_folder)[2]


def test_a_wrong_shape_names_the_way_out(voc_folder: Path) -> None:
    options = ImageOptions(num_classes=2, input_size=32)
    with pytest.raises(DataError, match=r"the transforms make .*train_0.png 3x48x64, but the model reads 3x32x32; add"):
        opened(voc_folder, steps=PLAIN, options=options)[0]


def test_a_step_that_fails_names_the_image(voc_folder: Path) -> None:
    steps = [{"name": "Normalize", "mean": [0.5, 0.5]}]
    with pytest.raises(DataError, match=r"train_list.txt:1: .*train_0.png: Normalize has values for 2 channels"):
        opened(voc_folder, steps=steps)[0]


@pytest.mark.parametrize("name", ["MixupImage", "RandomDistort", "RandomExpand", "RandomCrop", "RandomHorizontalFlip"])
def test_evaluation_is_not_random(voc_folder: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is random here, which evaluation can't be; leave it out"):
        opened(voc_folder, "eval", steps=[{"name": name}])


def test_interpolation_in_evaluation_is_not_random(voc_folder: Path) -> None:
    with pytest.raises(ConfigError, match="Resize is random here"):
        opened(voc_folder, "eval", steps=[{"name": "Resize", "interp": "RANDOM"}])
    assert len(opened(voc_folder, "eval", steps=[{"name": "Resize", "interp": "AREA"}])) == 2


def test_evaluation_needs_an_object(voc_folder: Path) -> None:
    for file in (voc_folder / "Annotations").glob("val_*.xml"):
        file.write_text(voc_xml((48, 64), [], []))
    with pytest.raises(DataError, match=r"val_list.txt names no object in any image, so that nothing can be evaluated"):
        opened(voc_folder, "eval")
