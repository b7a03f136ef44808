"""Decoding of real files, shapes, and randomness that depends on seed, epoch and index alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from images import write

from paddleprune.errors import ConfigError, DataError
from paddleprune.specs import ImageOptions
from paddleprune.vision.decode import decode_colour, to_channels
from paddleprune_classification.config import ClassificationData
from paddleprune_classification.data.dataset import ClassDataset

OPTIONS = ImageOptions(num_classes=2, input_size=(16, 24))


@pytest.mark.parametrize("split", ["train", "eval"])
@pytest.mark.parametrize("size", [(16, 24), (16, 16)])
@pytest.mark.parametrize("channels", [1, 3])
def test_samples_have_the_shape_of_the_input(image_net: Path, split: str, size: tuple[int, int], channels: int) -> None:
    options = ImageOptions(num_classes=2, input_size=size, input_channels=channels)
    dataset = ClassDataset(ClassificationData.from_directory(image_net, split), split, options)
    samples = [dataset[i] for i in range(len(dataset))]
    inputs, targets = dataset.collate(samples)
    assert inputs[0].shape == (len(dataset), channels, *size)
    assert inputs[0].dtype == np.float32
    assert targets.dtype == np.int64
    assert targets.tolist() == [item.label for item in dataset.items]


def test_randomness_is_a_function_of_seed_epoch_and_index(train_data: ClassificationData) -> None:
    def sample(seed: int, epoch: int, index: int = 0) -> np.ndarray:
        dataset = ClassDataset(train_data, "train", OPTIONS)
        dataset.set_epoch(seed, epoch)
        return dataset[index][0][0]

    assert np.array_equal(sample(1, 2), sample(1, 2))
    assert not np.array_equal(sample(1, 2), sample(1, 3))
    assert not np.array_equal(sample(1, 2), sample(2, 2))


def test_evaluation_images_are_the_same_in_every_epoch(image_net: Path) -> None:
    dataset = ClassDataset(ClassificationData.from_directory(image_net, "eval"), "eval", OPTIONS)
    before = dataset[1][0][0]
    dataset.set_epoch(7, 7)
    assert np.array_equal(before, dataset[1][0][0])


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_an_undecodable_image_is_named(image_net: Path, train_data: ClassificationData, content: bytes) -> None:
    (image_net / "a" / "1.png").write_bytes(content)
    dataset = ClassDataset(train_data, "train", OPTIONS)
    with pytest.raises(DataError, match=r"train_list.txt:2: .*1.png is not an image that OpenCV can decode") as caught:
        dataset[1]
    assert "\n" not in str(caught.value)


def test_an_image_that_vanished_is_named(image_net: Path, train_data: ClassificationData) -> None:
    dataset = ClassDataset(train_data, "train", OPTIONS)
    (image_net / "a" / "1.png").unlink()
    with pytest.raises(DataError, match=r"train_list.txt:2: image .*1.png does not exist"):
        dataset[1]


def test_the_wrong_size_is_named(train_data: ClassificationData) -> None:
    config = train_data.model_copy(update={"transforms": ()})
    with pytest.raises(DataError, match=r"train_list.txt:1: the transforms make .*0.png 3x20x30, but .* reads 3x16x24"):
        ClassDataset(config, "train", OPTIONS)[0]


def test_a_crop_larger_than_the_image_is_named(train_data: ClassificationData) -> None:
    config = ClassificationData.model_validate(
        {**train_data.model_dump(), "transforms": [{"name": "CenterCrop", "crop_size": 25}]}
    )
    with pytest.raises(DataError, match=r"train_list.txt:1: .*CenterCrop of 25x25 is larger than the image, 20x30"):
        ClassDataset(config, "train", OPTIONS)[0]


def test_every_kind_of_png_decodes_to_the_same_colours(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    alpha = np.dstack([colour, np.full((5, 7), 10, np.uint8)])
    for name, image in {"bgr": colour, "alpha": alpha, "deep": colour.astype(np.uint16) * 257}.items():
        assert np.array_equal(decode_colour(write(tmp_path / f"{name}.png", image), "list:1"), colour), name
    grey = decode_colour(write(tmp_path / "grey.png", colour[:, :, 0]), "list:1")
    assert np.array_equal(grey, np.repeat(colour[:, :, :1], 3, axis=2))


def test_colours_come_as_rgb_or_grey() -> None:
    blue = np.zeros((2, 2, 3), np.uint8)
    blue[..., 0] = 255
    assert to_channels(blue, 3)[0, 0].tolist() == [0, 0, 255]
    assert to_channels(blue, 1).shape == (2, 2, 1)
    with pytest.raises(ConfigError, match="1 or 3 channels, but input_channels is 4"):
        to_channels(blue, 4)
