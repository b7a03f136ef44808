"""From files to pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from paddleprune.errors import ConfigError, DataError
from paddleprune.files import unreadable
from paddleprune.interfaces import Array


def read_content(path: Path, what: str, origin: str) -> Array:
    """The bytes of a file, [n] uint8; `what` it is and where it was named (`origin`), for the message.

    Raises:
        DataError: the file can't be read.
    """
    try:
        # Not cv2.imread: on Windows it can't open paths with non-ASCII letters.
        return np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise DataError(f"{origin}: {unreadable(path, error, what)}") from error


def decode(content: Array, flags: int, path: Path, origin: str) -> Array:
    """`cv2.imdecode` of a file's bytes; its path and where it was named, for the message.

    Raises:
        DataError: it isn't an image.
    """
    try:
        image: Array | None = cv2.imdecode(content, flags)
    except cv2.error:
        image = None
    if image is None:
        raise DataError(f"{origin}: {path} is not an image that OpenCV can decode ({content.size} bytes)")
    return image


def decode_colour(path: Path, origin: str) -> Array:
    """The image: [H, W, 3], BGR, uint8, whatever the file has (grey, alpha, 16 bits); `origin` is for the message.

    Raises:
        DataError: the file can't be read, or isn't an image.
    """
    return decode(read_content(path, "image", origin), cv2.IMREAD_COLOR, path, origin)


def to_channels(image: Array, channels: int) -> Array:
    """[H, W, 3] BGR to what a model with so many input channels reads: [H, W, 3] RGB or [H, W, 1] grey, uint8.

    Raises:
        ConfigError: the model wants neither 1 nor 3 channels.
    """
    if channels == 3:
        rgb: Array = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return rgb
    if channels == 1:
        grey: Array = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        return grey[:, :, np.newaxis]
    raise ConfigError(f"images have 1 or 3 channels, but input_channels is {channels}")
