"""How a picture lies in the image that it was made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from paddleprune.interfaces import Array


class Frame(NamedTuple):
    """How the model's input lies in the original image: original = (input - offset) / scale.

    Attributes:
        scale: [2] float64: along x and y; negative where the image was mirrored.
        offset: [2] float64: of x and y, in pixels of the input.
        size: [2] int64: height and width of the original.
    """

    scale: Array
    offset: Array
    size: Array

    def then(self, scale: tuple[float, float], offset: tuple[float, float]) -> Frame:
        """After one more step that takes (x, y) to (x, y) * scale + offset."""
        return Frame(self.scale * scale, self.offset * scale + offset, self.size)


def frame_of(height: int, width: int) -> Frame:
    """That of the original image itself."""
    return Frame(np.ones(2), np.zeros(2), np.array([height, width], np.int64))


def restored(boxes: Array, scale: Array, offset: Array, size: Array) -> Array:
    """Boxes [n, 4] of the input as boxes of the original image, cut off at its edges: [n, 4] float64.

    The other arguments are a `Frame`'s.
    """
    corners = (np.asarray(boxes, np.float64).reshape(-1, 2, 2) - offset) / scale
    corners = np.sort(corners, axis=1)
    return np.clip(corners, 0, size[::-1]).reshape(-1, 4)
