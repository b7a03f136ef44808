"""An image's header is believed before its pixels are decoded; lists and folders follow one rule."""

from __future__ import annotations

import os
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddleprune.errors import DataError
from paddleprune.vision.decode import decode_colour
from paddleprune.vision.headers import pixels_said
from paddleprune.vision.lists import listed, read_labels, visible


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1 + min(width, 100)) * min(height, 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm", ".pgm", ".gif"])
def test_headers_say_how_many_pixels_there_are(suffix: str) -> None:
    done, content = cv2.imencode(suffix, np.zeros((30, 50, 1 if suffix == ".pgm" else 3), np.uint8))
    assert done
    assert pixels_said(content.tobytes()) == 1500
    for length in range(0, 64, 3):
        pixels_said(content.tobytes()[:length])


def test_all_pages_count() -> None:
    pages = [np.zeros((30, 50), np.uint8)] * 3
    assert pixels_said(cv2.imencodemulti(".tiff", pages)[1].tobytes()) == 4500


def test_a_picture_that_would_fill_the_memory_is_refused_at_once(tmp_path: Path) -> None:
    file, start = tmp_path / "huge.png", time.monotonic()
    file.write_bytes(png(30_000, 30_000))
    with pytest.raises(DataError, match=r"list:1: .*huge.png has 900,000,000 pixels; at most 134,217,728"):
        decode_colour(file, "list:1")
    assert time.monotonic() - start < 1


def test_pipes_and_odd_names_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="it is a pipe or a device"):
        decode_colour(tmp_path / "pipe.png", "list:1")
    for name, why in (("pipe.png", "is not a file"), ("a" * 5000, "can't be used"), ("a\0b", "can't be used")):
        with pytest.raises(DataError, match=why) as error:
            listed(tmp_path, name, "image", "list:1")
        assert "\0" not in str(error.value)
        assert len(str(error.value)) < 2000


def test_names_outside_the_folder_stand_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "a.png").write_bytes(png(3, 3))
    for name in ("../a.png", str(tmp_path / "a.png")):
        assert listed(tmp_path / "data", name, "image", "list:1").samefile(tmp_path / "a.png")


def test_hidden_entries_are_passed_over(tmp_path: Path) -> None:
    for name in (".ipynb_checkpoints", "b", "a"):
        (tmp_path / name).mkdir()
    (tmp_path / "._001.png").write_bytes(b"")
    assert [path.name for path in visible(tmp_path)] == ["a", "b"]


def test_many_labels_are_read_at_once(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("".join(f"class {i}\n" for i in range(50_000)))
    start = time.monotonic()
    assert len(read_labels(tmp_path / "labels.txt")) == 50_000
    assert time.monotonic() - start < 2
