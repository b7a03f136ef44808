"""Pictures of a folder, small enough to stand in the page: decoded and encoded again, so they are pictures alone."""

from __future__ import annotations

import base64
from pathlib import Path

from paddleprune.errors import DataError
from paddleprune.reports.html.known import Picture

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_MOST, _BYTES, _WIDEST, _QUALITY = 8, 160_000, 640, 80
"""Pictures, bytes of all of them, pixels of one's width, and JPEG's quality."""


def read_pictures(folder: Path) -> tuple[tuple[Picture, ...], int]:
    """The first pictures of a folder, and how many are left out; none where there is no folder."""
    if not folder.is_dir():
        return (), 0
    files = sorted(
        file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )
    found: list[Picture] = []
    left = _BYTES
    for file in files[:_MOST]:
        picture = _picture(file)
        if picture is not None and len(picture.uri) <= left:
            found.append(picture)
            left -= len(picture.uri)
    return tuple(found), len(files) - len(found)


def _picture(file: Path) -> Picture | None:
    """A picture; None where the file is none."""
    import cv2

    from paddleprune.vision.decode import decode_colour

    try:
        image = decode_colour(file, "examples")
    except DataError:
        return None
    height, width = image.shape[:2]
    if width > _WIDEST:
        height, width = max(1, round(height * _WIDEST / width)), _WIDEST
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    return Picture(file.name, f"data:image/jpeg;base64,{base64.b64encode(content).decode()}", width, height)
