"""Every mistake in lists and folders: one line that names the place."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from paddleprune.errors import DataError
from paddleprune.specs import ImageOptions
from paddleprune.vision.lists import read_labels
from paddleprune_classification.config import ClassificationData
from paddleprune_classification.data.dataset import ClassDataset
from paddleprune_classification.data.lists import read_items, scan_folders

OPTIONS = ImageOptions(num_classes=2, input_size=16)


def test_lists_give_files_and_numbers(train_data: ClassificationData) -> None:
    dataset = ClassDataset(train_data, "train", OPTIONS)
    assert dataset.labels == ("apple", "banana")
    assert [(item.image.name, item.label) for item in dataset.items] == [
        ("0.png", 0),
        ("1.png", 0),
        ("with space ü.png", 1),
    ]
    assert dataset.items[1].origin.endswith("train_list.txt:2")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a/0.png", r"train_list.txt:2: expected `path number`, got 'a/0.png'"),
        ("a/0.png one", r"train_list.txt:2: the label must be a whole number, got 'one'"),
        ("a/0.png 1.0", r"train_list.txt:2: the label must be a whole number, got '1.0'"),
        ("a/0.png 2", r"train_list.txt:2: label 2 is out of range, there are 2 classes \(0 to 1\)"),
        ("a/0.png -1", r"train_list.txt:2: label -1 is out of range"),
        ("a/missing.png 1", r"train_list.txt:2: image .*missing.png does not exist"),
        ("a 1", r"train_list.txt:2: image .*a is not a file"),
    ],
)
def test_a_bad_line_is_named(image_net: Path, line: str, message: str) -> None:
    (image_net / "train_list.txt").write_text(f"a/1.png 0\n{line}\n")
    with pytest.raises(DataError, match=message) as caught:
        ClassDataset(ClassificationData.from_directory(image_net, "train"), "train", OPTIONS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_list_is_named(image_net: Path, content: str) -> None:
    (image_net / "train_list.txt").write_text(content)
    with pytest.raises(DataError, match=r"file list .*train_list.txt is empty"):
        read_items(image_net / "train_list.txt", image_net, 2)


def test_a_missing_list_is_named(image_net: Path) -> None:
    with pytest.raises(DataError, match=r"file list .*no.txt does not exist"):
        read_items(image_net / "no.txt", image_net, 2)


def test_windows_files_read_alike(image_net: Path) -> None:
    (image_net / "labels.txt").write_bytes(b"\xef\xbb\xbfapple\r\nbanana\r\n\r\n")
    assert read_labels(image_net / "labels.txt") == ("apple", "banana")


def test_one_list_alone_is_refused(image_net: Path) -> None:
    with pytest.raises(ValidationError, match="label_list is missing"):
        ClassificationData(data_dir=image_net, file_list=image_net / "train_list.txt")


def test_folders_give_classes_by_name(image_net: Path) -> None:
    (image_net / "a" / "notes.txt").write_text("not an image")
    labels, items = scan_folders(image_net)
    assert labels == ("a", "b")
    assert [(item.image.name, item.label) for item in items][2:] == [
        ("3.png", 0),
        ("4.png", 1),
        ("with space ü.png", 1),
    ]


def test_bad_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data folder .*no does not exist"):
        scan_folders(tmp_path / "no")
    with pytest.raises(DataError, match="has no sub-folders"):
        scan_folders(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"class folder .*empty has no images"):
        scan_folders(tmp_path)


def test_from_directory_knows_two_layouts(image_net: Path, tmp_path: Path) -> None:
    lists = ClassificationData.from_directory(image_net, "eval")
    assert lists.file_list == image_net / "val_list.txt"
    root = tmp_path / "folders"
    for name in ("train/a", "train/b", "val/a", "val/b"):
        (root / name).mkdir(parents=True)
    assert ClassificationData.from_directory(root, "train") == ClassificationData(data_dir=root / "train")
    assert ClassificationData.from_directory(root, "eval") == ClassificationData(data_dir=root / "val")


def test_from_directory_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no eval images: expected val_list.txt and labels.txt .* or a folder val"):
        ClassificationData.from_directory(tmp_path, "eval")


def test_a_class_without_a_folder_in_val_would_shift_the_numbers(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "val/b"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(DataError, match=r"class 'a' has no folder in .*val"):
        ClassificationData.from_directory(tmp_path, "eval")


def test_hidden_folders_and_files_are_no_classes_and_no_images(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"an image, which isn't read here")
    for name in ("train/.ipynb_checkpoints/1.png", "val/a/._1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"junk")
    for split in ("train", "eval"):
        labels, items = scan_folders(ClassificationData.from_directory(tmp_path, split).data_dir)
        assert labels == ("a", "b")
        assert len(items) == 2


def test_of_a_long_list_every_number_is_checked_and_every_image_when_it_is_read(image_net: Path) -> None:
    file, good = image_net / "train_list.txt", ["a/1.png 0\n"] * 2500
    data = ClassificationData.from_directory(image_net, "train")
    file.write_text("".join([*good, "a/1.png 2\n"]))
    with pytest.raises(DataError, match=r"train_list.txt:2501: label 2 is out of range"):
        ClassDataset(data, "train", OPTIONS)
    file.write_text("".join([*good, "a/lost.png 1\n"]))
    dataset = pickle.loads(pickle.dumps(ClassDataset(data, "train", OPTIONS)))
    assert list(dataset.targets()) == [0] * 2500 + [1]
    assert dataset[2499][1] == 0
    with pytest.raises(DataError, match=r"^[^\n]*train_list.txt:2501: image .*lost.png does not exist$"):
        dataset[2500]
