"""Lists of names: each mistake is one line that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddleprune.errors import DataError
from paddleprune.vision.lists import path_and_word, read_labels, read_list


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a\n\nb\n", r"labels.txt:2 is empty, but its line number is the number of a class"),
        (b"a\nb\na\n", r"labels.txt:3: class 'a' is already in line 1"),
        (b"caf\xe9\n", r"labels.txt is not UTF-8 text \(byte 3\)"),
    ],
)
def test_a_bad_label_list_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / "labels.txt")


def test_a_label_list_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"label list .*no.txt does not exist"):
        read_labels(tmp_path / "no.txt")
    with pytest.raises(DataError, match=r"cannot read label list .*: it is a folder"):
        read_labels(tmp_path)


def test_lines_are_read_with_their_numbers(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("a b.png 3\n\nc.png 4\n")
    said = read_list(file, "image count", lambda line, origin: (*path_and_word(line, origin, "image count"), origin))
    assert said == (("a b.png", "3", f"{file}:1"), ("c.png", "4", f"{file}:3"))
    file.write_text("a.png 1\nalone\n")
    with pytest.raises(DataError, match=r"list.txt:2: expected `image count`, got 'alone'"):
        read_list(file, "image count", lambda line, origin: path_and_word(line, origin, "image count"))
