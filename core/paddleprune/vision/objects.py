"""The objects of an image, each in a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from paddleprune.interfaces import Array

MOST = 1000
"""Candidates of an image that enter the suppression, at most."""


class Objects(NamedTuple):
    """The objects of one image.

    Attributes:
        boxes: [n, 4] float32: left, top, right, bottom, in pixels of the image as it is now; 0 is its edge, not the
            middle of its first pixel.
        classes: [n] int64.
        difficult: [n] bool: VOC's flag; evaluation passes over them unless told otherwise.
        crowd: [n] bool: COCO's flag; the box holds many objects.
        weights: [n] float32: 1, or the image's share in a mixture.
    """

    boxes: Array
    classes: Array
    difficult: Array
    crowd: Array
    weights: Array

    def take(self, which: Array) -> Objects:
        """Those that a mask or indices choose."""
        return Objects(*(part[which] for part in self))


def make_objects(
    boxes: Sequence[Sequence[float]],
    classes: Sequence[int],
    difficult: Sequence[bool] | None = None,
    crowd: Sequence[bool] | None = None,
) -> Objects:
    """Objects of weight 1, by default neither difficult nor crowds; there may be none."""
    count = len(classes)
    return Objects(
        np.asarray(boxes, np.float32).reshape(count, 4),
        np.asarray(classes, np.int64),
        np.asarray(np.zeros(count) if difficult is None else difficult, np.bool_),
        np.asarray(np.zeros(count) if crowd is None else crowd, np.bool_),
        np.ones(count, np.float32),
    )


NO_OBJECTS = make_objects([], [])


def joined(first: Objects, second: Objects) -> Objects:
    """The objects of both, those of the first one first."""
    return Objects(*(np.concatenate(parts) for parts in zip(first, second, strict=True)))


def weighted(objects: Objects, share: float) -> Objects:
    """Counting this much of what they counted."""
    return objects._replace(weights=(objects.weights * share).astype(np.float32))


def inside(objects: Objects, size: tuple[int, int]) -> Objects:
    """Boxes cut off at the edges of an image of this height and width.

    Those of which nothing is left, and objects of no weight, are dropped.
    """
    height, width = size
    boxes = np.clip(objects.boxes, 0, np.array([width, height, width, height], np.float32))
    left = (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3]) & (objects.weights > 0)
    return objects._replace(boxes=boxes).take(left)


def moved(objects: Objects, scale: tuple[float, float], offset: tuple[float, float]) -> Objects:
    """Where (x, y) of the old image is at (x, y) * scale + offset of the new one."""
    corners = objects.boxes.reshape(-1, 2, 2) * np.array(scale) + np.array(offset)
    boxes = np.sort(corners, axis=1).reshape(-1, 4).astype(np.float32)  # a mirror swaps left and right
    return objects._replace(boxes=boxes)
