"""Decoding of real files, shapes, and randomness that depends on seed, epoch and index alone."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from images import write
from seg_files import draw

from paddleprune.errors import ConfigError, DataError
from paddleprune.specs import ImageOptions
from paddleprune.vision.class_weights import class_weights
from paddleprune_segmentation.config import SegmentationData
from paddleprune_segmentation.data.dataset import MaskDataset
from paddleprune_segmentation.data.images import decode_image, decode_mask

OPTIONS = ImageOptions(num_classes=3, input_size=(24, 40))


def opened(data: SegmentationData, split: str = "train", options: ImageOptions = OPTIONS) -> MaskDataset:
    return MaskDataset(data, split, options)


@pytest.mark.parametrize("split", ["train", "eval"])
@pytest.mark.parametrize("size", [(24, 40), (33, 33)])
@pytest.mark.parametrize("channels", [1, 3])
def test_samples_have_the_shape_of_the_input(folder: Path, split: str, size: tuple[int, int], channels: int) -> None:
    options = ImageOptions(num_classes=3, input_size=size, input_channels=channels)
    dataset = opened(SegmentationData.from_directory(folder, split), split, options)
    inputs, targets = dataset.collate([dataset[i] for i in range(len(dataset))])
    assert inputs[0].shape == (len(dataset), channels, *size)
    assert targets.shape == (len(dataset), *size)
    assert (inputs[0].dtype, targets.dtype) == (np.float32, np.uint8)
    assert set(np.unique(targets)) <= {0, 1, 2, 255}


def test_without_resizing_a_mask_comes_as_it_is(folder: Path) -> None:
    data = SegmentationData.from_directory(folder, "eval").model_copy(update={"transforms": ()})
    (pixels,), mask = opened(data, "eval", ImageOptions(input_size=(32, 48)))[1]
    image, truth = draw(101)
    assert np.array_equal(mask, truth)
    assert np.array_equal(pixels, image[:, :, ::-1].transpose(2, 0, 1))


def test_randomness_is_a_function_of_seed_epoch_and_index(train_data: SegmentationData) -> None:
    def sample(seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        dataset = opened(train_data)
        dataset.set_epoch(seed, epoch)
        (pixels,), mask = dataset[0]
        return pixels, mask

    assert all(np.array_equal(a, b) for a, b in zip(sample(1, 2), sample(1, 2), strict=True))
    assert not np.array_equal(sample(1, 2)[0], sample(1, 3)[0])
    assert not np.array_equal(sample(1, 2)[0], sample(2, 2)[0])


def test_masks_that_cannot_be_meant_are_refused_or_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, val = (SegmentationData.from_directory(folder, split) for split in ("train", "eval"))
    opened(train)
    opened(val, "eval")
    assert capsys.readouterr().err == ""
    for number in range(3):
        truth = draw(number)[1]
        write(folder / "masks" / f"train_{number}.png", np.where(truth == 2, 0, truth).astype(np.uint8))
    opened(train)
    said = " ".join(capsys.readouterr().err.split())
    assert "none of the 3 masks of" in said
    assert "holds class 2 ('box'), so that it can't be learnt; 255 is ignored" in said
    for file in (folder / "masks").glob("*.png"):
        write(file, np.where(draw(0)[1] == 1, 255, 0).astype(np.uint8))
    with pytest.raises(DataError, match=r"train_list.txt hold only class 0 and 255: .* holds 0 and 1, not 0 and 255"):
        opened(train)
    opened(val, "eval")
    assert "hold only class 0 and 255" in " ".join(capsys.readouterr().err.split())


def test_evaluation_refuses_random_steps(train_data: SegmentationData) -> None:
    data = SegmentationData.model_validate({**train_data.model_dump(), "transforms": [{"name": "RandomRotate"}]})
    with pytest.raises(ConfigError, match="RandomRotate is random here, which evaluation can't be; leave it out"):
        opened(data, "eval")


def test_class_weights_are_balanced_over_the_masks_files(train_data: SegmentationData) -> None:
    masks = np.stack([draw(seed)[1] for seed in range(3)])
    counts = np.array([(masks == number).sum() for number in range(3)])
    found = class_weights("balanced", 3, opened(train_data))
    np.testing.assert_allclose(found, counts.sum() / (3 * counts), rtol=1e-6)


def bad_mask(folder: Path, mask: np.ndarray) -> str:
    write(folder / "masks" / "train_1.png", mask)
    with pytest.raises(DataError) as caught:
        opened(SegmentationData.from_directory(folder, "train"))[1]
    message = str(caught.value)
    assert "\n" not in message
    assert "train_list.txt:2: " in message
    assert "train_1.png" in message
    return message


def test_bad_masks_are_named(folder: Path) -> None:
    good = draw(1)[1]
    assert "is 20x48, but its image is 32x48" in bad_mask(folder, good[:20])
    assert "has 3 channels (colours); it must have one" in bad_mask(folder, np.dstack([good] * 3))
    assert "has 16 bits a pixel; save it with 8" in bad_mask(folder, good.astype(np.uint16))
    beyond = good.copy()
    beyond[5, 7] = 3
    message = "has value 3 at row 5, column 7, but there are 3 classes (0 to 2; 255 is ignored)"
    assert message in bad_mask(folder, beyond)


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


@pytest.mark.parametrize("kind", [3, 0])
@pytest.mark.parametrize(
    ("depth", "row"), [(8, b"\0\1\2\xff"), (4, b"\x01\x2f"), (2, bytes([0b00011011])), (1, bytes([0b01100000]))]
)
def test_palettes_and_grey_of_few_bits_hold_numbers(tmp_path: Path, depth: int, row: bytes, kind: int) -> None:
    """As annotation tools write them, with transparency, and colours or grey; rows of four pixels."""
    header = (4).to_bytes(4, "big") + (3).to_bytes(4, "big") + bytes([depth, kind, 0, 0, 0])
    palette = chunk(b"PLTE", np.arange(3 * 2**depth).astype(np.uint8).tobytes()) + chunk(b"tRNS", b"\0\x80")
    colours = palette if kind else chunk(b"tRNS", b"\0\1")
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + row) * 3))
    path = tmp_path / "palette.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + colours + pixels + chunk(b"IEND", b""))
    expected = {8: [0, 1, 2, 255], 4: [0, 1, 2, 15], 2: [0, 1, 2, 3], 1: [0, 1, 1, 0]}[depth]
    assert decode_mask(path, 16, "list:1").tolist() == [expected] * 3
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"list:1: .*palette.png is not an image that OpenCV can decode"):
        decode_mask(path, 16, "list:1")


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
@pytest.mark.parametrize("kind", ["images", "masks"])
def test_undecodable_files_are_named(folder: Path, train_data: SegmentationData, kind: str, content: bytes) -> None:
    (folder / kind / "train_1.png").write_bytes(content)
    with pytest.raises(DataError, match=r"train_list.txt:2: .*train_1.png is not an image that OpenCV can decode"):
        opened(train_data)[1]


def test_a_file_that_vanished_is_named(folder: Path, train_data: SegmentationData) -> None:
    dataset = opened(train_data)
    (folder / "masks" / "train_1.png").unlink()
    with pytest.raises(DataError, match=r"train_list.txt:2: mask .*train_1.png does not exist"):
        dataset[1]


def test_the_wrong_size_is_named(train_data: SegmentationData) -> None:
    with pytest.raises(DataError, match=r"train_list.txt:1: the transforms make .* 3x32x48, but the model reads 3x24x"):
        opened(train_data.model_copy(update={"transforms": ()}))[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_bands_of_every_kind_of_file(tmp_path: Path, dtype: type) -> None:
    image = (np.random.default_rng(0).random((9, 7, 6)) * 200).astype(dtype)
    np.save(tmp_path / "bands.npy", image)
    pages = [np.ascontiguousarray(image[:, :, band]) for band in range(6)]
    assert cv2.imwritemulti(str(tmp_path / "bands.tif"), pages)
    for name in ("bands.npy", "bands.tif"):
        decoded = decode_image(tmp_path / name, 6, "list:1")
        assert decoded.dtype == dtype
        assert np.array_equal(decoded, image)
    with pytest.raises(DataError, match=r"list:1: .*bands.npy has 6 channels, but the model reads 5"):
        decode_image(tmp_path / "bands.npy", 5, "list:1")


def test_bands_go_through_training(folder: Path) -> None:
    lines = []
    for number in range(2):
        image, _ = draw(number, channels=6)
        np.save(folder / "images" / f"{number}.npy", image.astype(np.uint16) * 200)
        lines.append(f"images/{number}.npy masks/train_{number}.png\n")
    (folder / "train_list.txt").write_text("".join(lines))
    steps = [
        {"name": name}
        for name in ("ResizeStepScaling", "RandomRotate", "RandomBlur", "RandomDistort", "RandomHorizontalFlip")
    ]
    crop = {"name": "RandomPaddingCrop", "crop_size": [24, 40]}
    data = SegmentationData.model_validate(
        {
            **SegmentationData.from_directory(folder, "train").model_dump(),
            "transforms": [*steps, crop, {"name": "Normalize"}],
        }
    )
    dataset = opened(data, options=ImageOptions(input_size=(24, 40), input_channels=6))
    for epoch in range(4):
        dataset.set_epoch(0, epoch)
        (pixels,), _ = dataset[1]
        assert pixels.shape == (6, 24, 40)
        assert np.abs(pixels).max() <= 1


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{"a": 1}], dtype=object), "is not an array that numpy.save wrote"),
        (np.zeros((2, 2, 3, 1)), r"has shape \(2, 2, 3, 1\); an image is height x width x channels"),
        (np.zeros((4, 4, 3), np.int64), "holds int64; pixels must be uint8, uint16, float32"),
    ],
)
def test_bad_arrays_are_named(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "bad.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=message):
        decode_image(tmp_path / "bad.npy", 3, "list:1")
