"""The numbers in PNG files with a palette or with grey pixels of few bits, as annotation tools write masks.

OpenCV decodes a palette's colours, stretches fewer than 8 bits to the range of 8, and makes a transparent grey a
channel of its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTH, _KIND = 24, 25
"""Where a PNG file says how many bits a pixel has, and what they are."""
_GREY, _PALETTE = 0, 3
_COLOURS = (b"PLTE", b"tRNS")


def holds_numbers(content: bytes) -> bool:
    """Is it a PNG file whose pixels are indices of a palette, or grey of at most 8 bits?"""
    if not content.startswith(_SIGNATURE) or len(content) <= _KIND:
        return False
    return content[_KIND] == _PALETTE or (content[_KIND] == _GREY and content[_DEPTH] <= 8)


def as_grey(content: bytes) -> tuple[bytes, int]:
    """The same file, saying that its pixels are grey and opaque.

    Returns:
        The file, and what to divide its pixels by: a decoder stretches fewer than 8 bits to the range of 8.
    """
    parts = [_SIGNATURE]
    for kind, body in _chunks(content):
        if kind == b"IHDR":
            body = body[:9] + bytes([_GREY]) + body[10:]
        if kind not in _COLOURS:
            parts.append(len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big"))
    return b"".join(parts), 255 // (2 ** min(max(content[_DEPTH], 1), 8) - 1)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_SIGNATURE)
    while place + 8 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += length + 12
