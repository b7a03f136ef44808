"""How many pixels an image file says that it has, before anything is decoded."""

from __future__ import annotations

import re
from itertools import pairwise

MOST_PIXELS = 2**27
"""Pixels of the largest image that is decoded: 134 million, such as 11,585 x 11,585."""
_MOST_PAGES = 10_000
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers of a frame's header."""


def pixels_said(content: bytes) -> int | None:
    """Width times height, of all pages; None of a format that isn't known here.

    Known are PNG, JPEG, BMP, GIF, WebP, TIFF and the PNM family. A damaged header counts as 0 pixels.
    """
    for start, read in _READERS.items():
        if content.startswith(start):
            return read(content)
    return None


def _big(content: bytes, place: int, size: int) -> int:
    return int.from_bytes(content[place : place + size], "big")


def _little(content: bytes, place: int, size: int) -> int:
    return int.from_bytes(content[place : place + size], "little")


def _png(content: bytes) -> int:
    return _big(content, 16, 4) * _big(content, 20, 4)


def _gif(content: bytes) -> int:
    return _little(content, 6, 2) * _little(content, 8, 2)


def _bmp(content: bytes) -> int:
    if _little(content, 14, 4) == 12:  # OS/2's header
        return _little(content, 18, 2) * _little(content, 20, 2)
    width, height = (int.from_bytes(content[place : place + 4], "little", signed=True) for place in (18, 22))
    return abs(width * height)


def _jpeg(content: bytes) -> int:
    most, place = 0, 2
    while place + 9 <= len(content):
        if content[place] != 0xFF:
            place = content.find(b"\xff", place)  # what lies between segments is passed over
            if place < 0:
                break
            continue
        marker = content[place + 1]
        if marker in _FRAMES:
            most = max(most, _big(content, place + 5, 2) * _big(content, place + 7, 2))
        if marker in (0xDA, 0xD9):  # pixels, the end
            break
        alone = marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8
        place += (1 if marker == 0xFF else 2) if alone else 2 + max(2, _big(content, place + 2, 2))
    return most


def _webp(content: bytes) -> int:
    kind = content[12:16]
    if kind == b"VP8X":
        return (_little(content, 24, 3) + 1) * (_little(content, 27, 3) + 1)
    if kind == b"VP8L":
        bits = _little(content, 21, 4)
        return ((bits & 0x3FFF) + 1) * ((bits >> 14 & 0x3FFF) + 1)
    return (_little(content, 26, 2) & 0x3FFF) * (_little(content, 28, 2) & 0x3FFF)


def _tiff(content: bytes) -> int:
    """All pages together: they are decoded together."""
    read = _little if content[:1] == b"I" else _big
    total, place, seen = 0, read(content, 4, 4), set[int]()
    while place and place not in seen and len(seen) < _MOST_PAGES and place < len(content):
        seen.add(place)
        sides, count = {256: 0, 257: 0}, read(content, place, 2)
        for entry in range(place + 2, place + 2 + 12 * count, 12):
            tag, kind = read(content, entry, 2), read(content, entry + 2, 2)
            if tag in sides:
                sides[tag] = read(content, entry + 8, 2 if kind == 3 else 4)
        total += sides[256] * sides[257]
        place = read(content, place + 2 + 12 * count, 4)
    return total


def _pnm(content: bytes) -> int:
    """The first two numbers, between white space and comments; of PAM the words WIDTH and HEIGHT."""
    text = re.sub(rb"#[^\n]*", b"", content[:4096])
    if text.startswith(b"P7"):
        sides = [int(found) for found in re.findall(rb"(?:WIDTH|HEIGHT)\s+(\d{1,18})", text)]
    else:
        sides = [int(found) for found in re.findall(rb"\s(\d{1,18})(?=\s)", text)]
    return max((a * b for a, b in pairwise(sides[:2])), default=0)


_READERS = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8": _jpeg,
    b"BM": _bmp,
    b"GIF8": _gif,
    b"RIFF": _webp,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
    **{b"P%d" % number: _pnm for number in range(1, 8)},
}
