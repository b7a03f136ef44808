"""Every mistake in lists: one line that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddleprune.errors import DataError
from paddleprune_segmentation.config import SegmentationData
from paddleprune_segmentation.data.lists import read_labels, read_pairs


def test_lists_give_pairs(folder: Path) -> None:
    pairs = read_pairs(folder / "train_list.txt", folder)
    assert [(pair.image.name, pair.mask.parent.name) for pair in pairs][2] == ("train_2.png", "masks")
    assert pairs[1].origin.endswith("train_list.txt:2")
    assert read_labels(folder / "labels.txt") == ("ground", "disc", "box")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("images/train_0.png", r"train_list.txt:2: expected `image mask`, got 'images/train_0.png'"),
        ("a b c", r"train_list.txt:2: expected `image mask`, got 'a b c'; separate names that hold spaces by a tab"),
        ("images/lost.png masks/train_0.png", r"train_list.txt:2: image .*lost.png does not exist"),
        ("images/train_0.png masks/lost.png", r"train_list.txt:2: mask .*lost.png does not exist"),
        ("images masks", r"train_list.txt:2: image .*images is not a file"),
    ],
)
def test_a_bad_line_is_named(folder: Path, line: str, message: str) -> None:
    (folder / "train_list.txt").write_text(f"images/train_0.png masks/train_0.png\n{line}\n")
    with pytest.raises(DataError, match=message) as caught:
        read_pairs(folder / "train_list.txt", folder)
    assert "\n" not in str(caught.value)


def test_a_tab_separates_names_with_spaces(folder: Path) -> None:
    for kind in ("images", "masks"):
        (folder / kind / "train_0.png").rename(folder / kind / "a b ü.png")
    (folder / "train_list.txt").write_text("images/a b ü.png\tmasks/a b ü.png\n\n", encoding="utf-8")
    (pair,) = read_pairs(folder / "train_list.txt", folder)
    assert pair.mask == folder / "masks" / "a b ü.png"


def test_empty_and_missing_lists_are_named(folder: Path) -> None:
    (folder / "train_list.txt").write_text("\n \n")
    with pytest.raises(DataError, match=r"file list .*train_list.txt is empty; write `image mask`"):
        read_pairs(folder / "train_list.txt", folder)
    with pytest.raises(DataError, match=r"file list .*no.txt does not exist"):
        read_pairs(folder / "no.txt", folder)
    with pytest.raises(DataError, match=r"cannot read label list .*: it is a folder"):
        read_labels(folder / "images")


def test_a_bad_label_list_is_named(folder: Path) -> None:
    for content, message in (("", "is empty"), ("".join(f"{n}\n" for n in range(256)), "names 256 classes; an 8-bit")):
        (folder / "labels.txt").write_text(content)
        with pytest.raises(DataError, match=message):
            read_labels(folder / "labels.txt")


def test_from_directory_says_what_is_missing(folder: Path) -> None:
    data = SegmentationData.from_directory(folder, "eval")
    assert data.file_list == folder / "val_list.txt"
    (folder / "val_list.txt").unlink()
    with pytest.raises(DataError, match=r"holds no eval data: it needs val_list.txt, with `image mask` in each line"):
        SegmentationData.from_directory(folder, "eval")
    (folder / "labels.txt").unlink()
    with pytest.raises(DataError, match=r"needs labels.txt, with a class name in each line"):
        SegmentationData.from_directory(folder, "train")
