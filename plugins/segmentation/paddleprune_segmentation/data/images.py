"""From files to pixels and to classes."""

from __future__ import annotations

import io
import math
from pathlib import Path

import cv2
import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.vision.decode import check_size, decode, read_content, to_channels
from paddleprune.vision.values import IGNORED
from paddleprune_segmentation.data.palettes import as_grey, holds_numbers

_DTYPES = ("uint8", "uint16", "float32")
COLOURS = (1, 3)
"""The numbers of channels that come as 8-bit grey and colours; others are bands."""


def decode_image(path: Path, channels: int, origin: str) -> Array:
    """The image: [H, W, channels], RGB, grey or bands in the file's order; uint8, uint16 or float32.

    Grey and colour images come with 8 bits, whatever the file has. For other numbers of channels a file may be a
    TIFF of one or many pages, anything else that OpenCV decodes, or an array saved as `.npy`.

    Args:
        path: the file.
        channels: as many as the model reads.
        origin: for the message.

    Raises:
        DataError: the file can't be read, isn't an image, or has another number of channels.
    """
    content = read_content(path, "image", origin)
    if path.suffix.lower() == ".npy":
        image = _array(content, path, origin)
    elif channels in COLOURS:
        return to_channels(decode(content, cv2.IMREAD_COLOR, path, origin), channels)
    else:
        image = _bands(content, path, origin)
    if image.shape[2] != channels:
        raise DataError(f"{origin}: {path} has {image.shape[2]} channels, but the model reads {channels}")
    if image.dtype.name not in _DTYPES:
        raise DataError(f"{origin}: {path} holds {image.dtype}; pixels must be {', '.join(_DTYPES)}")
    return image


def decode_mask(path: Path, classes: int, origin: str) -> Array:
    """The class of every pixel: [H, W], uint8, 255 where it is ignored.

    Of a PNG with a palette the indices are the classes, of a grey one with fewer than 8 bits the numbers.

    Raises:
        DataError: the file can't be read, isn't an 8-bit image with one channel, or holds what is no class.
    """
    content = read_content(path, "mask", origin)
    if holds_numbers(content.tobytes()):
        grey, stretched = as_grey(content.tobytes())
        mask = decode(np.frombuffer(grey, np.uint8), cv2.IMREAD_UNCHANGED, path, origin) // np.uint8(stretched)
    else:
        mask = decode(content, cv2.IMREAD_UNCHANGED, path, origin)
    if mask.ndim != 2:
        raise DataError(
            f"{origin}: mask {path} has {mask.shape[2]} channels (colours); "
            "it must have one, with the number of each pixel's class"
        )
    if mask.dtype != np.uint8:
        raise DataError(f"{origin}: mask {path} has {8 * mask.itemsize} bits a pixel; save it with 8")
    wrong = (mask >= classes) & (mask != IGNORED)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f"{origin}: mask {path} has value {mask[row, column]} at row {row}, column {column}, but there are "
            f"{classes} classes (0 to {classes - 1}; {IGNORED} is ignored)"
        )
    return mask


def _bands(content: Array, path: Path, origin: str) -> Array:
    """All channels of all pages, one after the other."""
    check_size(content, path, origin)
    try:
        _, pages = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pages = ()
    if len(pages) < 2:
        pages = (decode(content, cv2.IMREAD_UNCHANGED, path, origin),)
    if len({page.shape[:2] for page in pages}) > 1:
        raise DataError(f"{origin}: the pages of {path} differ in size; each must be a band of one image")
    return np.dstack(pages)


def _array(content: Array, path: Path, origin: str) -> Array:
    try:
        image = _loaded(content.tobytes())
    except Exception as error:  # a damaged header raises whatever it meets
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{origin}: {path} is not an array that numpy.save wrote ({said})") from error
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
    if image.ndim != 3 or not image.size:
        raise DataError(f"{origin}: {path} has shape {image.shape}; an image is height x width x channels")
    return image.astype(np.float32) if image.dtype == np.float64 else image


def _loaded(content: bytes) -> Array:
    """The array, if the file holds what its header says: an array is made before it is filled.

    Raises:
        ValueError: it doesn't.
    """
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"its version {version} isn't read")
    shape, _, dtype = read(stream)
    if math.prod(shape) * dtype.itemsize > len(content):
        raise ValueError(f"its header says {' x '.join(map(str, shape))}, but it has {len(content):,} bytes")
    loaded: Array = np.load(io.BytesIO(content), allow_pickle=False)
    return loaded
