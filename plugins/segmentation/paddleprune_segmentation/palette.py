"""Pascal VOC's colours: far apart for neighbouring numbers, the same for everybody."""

from __future__ import annotations

import numpy as np

from paddleprune.interfaces import Array

_BITS = 8


def voc_palette() -> Array:
    """[256, 3], RGB, uint8: the bits of a class's number, spread over the channels, the lowest to the highest bit."""
    numbers = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for level in range(_BITS):
        for channel in range(3):
            bit = numbers >> (3 * level + channel) & 1
            colours[:, channel] |= (bit << (_BITS - 1 - level)).astype(np.uint8)
    return colours
