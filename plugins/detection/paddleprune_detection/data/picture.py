"""An image with its objects, on its way to the model's input, and the ways to move both."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.vision.pixels import bearable, rounded
from paddleprune_detection.data.objects import Frame, Objects, joined

INTERPOLATIONS = {
    "NEAREST": cv2.INTER_NEAREST,
    "LINEAR": cv2.INTER_LINEAR,
    "CUBIC": cv2.INTER_CUBIC,
    "AREA": cv2.INTER_AREA,
    "LANCZOS4": cv2.INTER_LANCZOS4,
}


class Picture(NamedTuple):
    """An image [H, W, C], its objects in its own pixels, and how it lies in the original."""

    image: Array
    objects: Objects
    frame: Frame

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.image.shape[0], self.image.shape[1]


def moved(picture: Picture, image: Array, scale: tuple[float, float], offset: tuple[float, float]) -> Picture:
    """The same objects on another image, on which (x, y) of the old one is at (x, y) * scale + offset."""
    corners = picture.objects.boxes.reshape(-1, 2, 2) * np.array(scale) + np.array(offset)
    boxes = np.sort(corners, axis=1).reshape(-1, 4).astype(np.float32)  # a mirror swaps left and right
    return Picture(image, picture.objects._replace(boxes=boxes), picture.frame.then(scale, offset))


def inside(picture: Picture) -> Picture:
    """Boxes cut off at the edges; those of which nothing is left, and objects of no weight, are dropped."""
    height, width = picture.size
    objects = picture.objects
    boxes = np.clip(objects.boxes, 0, np.array([width, height, width, height], np.float32))
    left = (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3]) & (objects.weights > 0)
    return picture._replace(objects=objects._replace(boxes=boxes).take(left))


def resized(picture: Picture, size: tuple[int, int], interpolation: str = "LINEAR") -> Picture:
    """At another height and width."""
    if picture.size == size:
        return picture
    (height, width), channels = picture.size, picture.image.shape[2]
    size = bearable(size)
    flags = INTERPOLATIONS[interpolation]
    image: Array = cv2.resize(np.ascontiguousarray(picture.image), size[::-1], interpolation=flags)
    image = image.reshape(*size, channels)  # OpenCV drops the axis of a lone channel
    return moved(picture, image, (size[1] / width, size[0] / height), (0, 0))


def placed(picture: Picture, size: tuple[int, int], corner: tuple[int, int], fill: Array | float) -> Picture:
    """On a larger image of one colour, its upper left corner at this row and column."""
    (height, width), (top, left) = picture.size, corner
    image = np.empty((*bearable(size), picture.image.shape[2]), picture.image.dtype)
    image[:] = rounded(np.asarray(fill, np.float32), picture.image)
    image[top : top + height, left : left + width] = picture.image
    return moved(picture, image, (1, 1), (left, top))


def cut_out(picture: Picture, size: tuple[int, int], corner: tuple[int, int]) -> Picture:
    """The part of this height and width whose upper left corner is at this row and column."""
    (height, width), (top, left) = size, corner
    image = picture.image[top : top + height, left : left + width]
    return inside(moved(picture, image, (1, 1), (-left, -top)))


def mirrored(picture: Picture) -> Picture:
    """Left to right."""
    return moved(picture, picture.image[:, ::-1], (-1, 1), (picture.size[1], 0))


def mixed(first: Picture, second: Picture, share: float) -> Picture:
    """Both, one over the other, on an image that holds both: `share` of the first, the rest of the second.

    Zhang et al., "Bag of Freebies for Training Object Detection Neural Networks" (2019), section 3.1.
    """
    height, width = (max(sides) for sides in zip(first.size, second.size, strict=True))
    image = np.zeros((*bearable((height, width)), first.image.shape[2]), np.float32)
    for picture, part in ((first, share), (second, 1 - share)):
        image[: picture.size[0], : picture.size[1]] += picture.image * np.float32(part)
    objects = joined(weighted(first.objects, share), weighted(second.objects, 1 - share))
    return inside(Picture(rounded(image, first.image), objects, first.frame))


def weighted(objects: Objects, share: float) -> Objects:
    """Counting this much of what they counted."""
    return objects._replace(weights=(objects.weights * share).astype(np.float32))


def for_channels(values: tuple[float, ...], image: Array, what: str) -> Array:
    """Values as [1] or [C]; `what` has them, for the message.

    Raises:
        DataError: there are neither one nor as many as the image has channels.
    """
    if len(values) not in (1, image.shape[2]):
        raise DataError(f"{what} has values for {len(values)} channels, but the image has {image.shape[2]}")
    return np.array(values, np.float32)
