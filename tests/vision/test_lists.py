"""Lists of names: each mistake is one line that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddleprune.errors import DataError
from paddleprune.vision.lists import CHECKED, files_in, path_and_word, read_labels, read_list


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
    assert said[:] == (("a b.png", "3", f"{file}:1"), ("c.png", "4", f"{file}:3"))
    file.write_text("a.png 1\nalone\n")
    with pytest.raises(DataError, match=r"list.txt:2: expected `image count`, got 'alone'"):
        read_list(file, "image count", lambda line, origin: path_and_word(line, origin, "image count"))


def test_of_a_long_list_some_lines_are_read_and_the_others_when_they_are_asked_for(tmp_path: Path) -> None:
    file, seen = tmp_path / "list.txt", list[str]()

    def read(line: str, origin: str) -> str:
        seen.append(line)
        return f"{origin} {line}"

    file.write_bytes(b"\xef\xbb\xbf" + "".join(f"ä {i}\r\n \r\n" for i in range(10 * CHECKED)).encode())
    said = read_list(file, "image count", read)
    assert (len(said), len(seen)) == (10 * CHECKED, CHECKED)
    assert (said[0], said[7], said[-1]) == (f"{file}:1 ä 0", f"{file}:15 ä 7", f"{file}:19999 ä 9999")
    assert said[2:4] == (f"{file}:5 ä 2", f"{file}:7 ä 3")
    before = said.digest()
    file.write_text(file.read_text().replace("ä 7\n", "ä 8\n"))
    assert read_list(file, "image count", read).digest() != before


def test_files_are_found_by_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "d.png").mkdir()
    for name in ("b.PNG", "a.png", ".c.png", "e.txt"):
        (tmp_path / name).touch()
    (tmp_path / "f.png").symlink_to(tmp_path / "a.png")
    assert [path.name for path in files_in(tmp_path, {".png"})] == ["a.png", "b.PNG", "f.png"]
    with pytest.raises(DataError, match="cannot read the folder"):
        files_in(tmp_path / "no", {".png"})
