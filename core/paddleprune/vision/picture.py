"""An image on its way to the model's input, with what rides along, and the ways to move all of it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.vision import objects as boxed
from paddleprune.vision.frame import Frame, frame_of
from paddleprune.vision.objects import NO_OBJECTS, Objects
from paddleprune.vision.pixels import bearable, blurred, resized_image, resized_mask, rounded, turned, turned_mask
from paddleprune.vision.values import IGNORED

INTERPOLATIONS = {
    "NEAREST": cv2.INTER_NEAREST,
    "LINEAR": cv2.INTER_LINEAR,
    "CUBIC": cv2.INTER_CUBIC,
    "AREA": cv2.INTER_AREA,
    "LANCZOS4": cv2.INTER_LANCZOS4,
}


class Picture(NamedTuple):
    """An image, what is known of its pixels and of parts of it, and how it lies in the original.

    Attributes:
        image: [H, W, C].
        frame: how it lies in the original.
        mask: [H, W] uint8: the class of each pixel, `IGNORED` where it counts nowhere; or None.
        objects: in the image's own pixels.
    """

    image: Array
    frame: Frame
    mask: Array | None = None
    objects: Objects = NO_OBJECTS

    @classmethod
    def of(cls, image: Array, mask: Array | None = None, objects: Objects = NO_OBJECTS) -> Picture:
        """That of an original image."""
        return cls(image, frame_of(*image.shape[:2]), mask, objects)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.image.shape[0], self.image.shape[1]


def moved(
    picture: Picture, image: Array, mask: Array | None, scale: tuple[float, float], offset: tuple[float, float]
) -> Picture:
    """Another image and mask, on which (x, y) of the old ones is at (x, y) * scale + offset."""
    return Picture(image, picture.frame.then(scale, offset), mask, boxed.moved(picture.objects, scale, offset))


def inside(picture: Picture) -> Picture:
    """Boxes cut off at the edges; objects of which nothing is left, and those of no weight, are dropped."""
    return picture._replace(objects=boxed.inside(picture.objects, picture.size))


def resized(picture: Picture, size: tuple[int, int], interpolation: str = "LINEAR") -> Picture:
    """At another height and width; of a mask each pixel has the class of the nearest one."""
    if picture.size == size:
        return picture
    (height, width), size = picture.size, bearable(size)
    image = resized_image(picture.image, size, INTERPOLATIONS[interpolation])
    mask = None if picture.mask is None else resized_mask(picture.mask, size)
    return moved(picture, image, mask, (size[1] / width, size[0] / height), (0, 0))


def placed(picture: Picture, size: tuple[int, int], corner: tuple[int, int], fill: Array | float) -> Picture:
    """On a larger image of one colour, its upper left corner at this row and column; what is new of a mask is ignored.

    Args:
        picture: the small one.
        size: height and width of the large one.
        corner: row and column.
        fill: the colour, one value or one for each channel.
    """
    (height, width), (top, left) = picture.size, corner
    part = slice(top, top + height), slice(left, left + width)
    image = np.empty((*bearable(size), picture.image.shape[2]), picture.image.dtype)
    image[:] = rounded(np.asarray(fill, np.float32), picture.image)
    image[part] = picture.image
    mask = None
    if picture.mask is not None:
        mask = np.full(size, IGNORED, picture.mask.dtype)
        mask[part] = picture.mask
    return moved(picture, image, mask, (1, 1), (left, top))


def cut_out(picture: Picture, size: tuple[int, int], corner: tuple[int, int]) -> Picture:
    """The part of this height and width whose upper left corner is at this row and column."""
    (height, width), (top, left) = size, corner
    part = slice(top, top + height), slice(left, left + width)
    mask = None if picture.mask is None else picture.mask[part]
    return inside(moved(picture, picture.image[part], mask, (1, 1), (-left, -top)))


def mirrored(picture: Picture) -> Picture:
    """Left to right."""
    mask = None if picture.mask is None else picture.mask[:, ::-1]
    return moved(picture, picture.image[:, ::-1], mask, (-1, 1), (picture.size[1], 0))


def upside_down(picture: Picture) -> Picture:
    """Top to bottom."""
    mask = None if picture.mask is None else picture.mask[::-1]
    return moved(picture, picture.image[::-1], mask, (1, -1), (0, picture.size[0]))


def rotated(picture: Picture, degrees: float, fill: float | None) -> Picture:
    """Turned about the middle within its frame; corners have a value, or without one what lies mirrored beyond them.

    Those of a mask are ignored.

    Raises:
        DataError: it has objects, whose boxes would no longer fit them.
    """
    if len(picture.objects.classes):
        raise DataError("boxes can't be turned with their image; leave the rotation out")
    mask = None if picture.mask is None else turned_mask(picture.mask, degrees, IGNORED)
    return picture._replace(image=turned(picture.image, degrees, fill), mask=mask)


def blurry(picture: Picture, window: int) -> Picture:
    """Smoothed by a Gaussian in a window of so many pixels (an odd number)."""
    return picture._replace(image=blurred(picture.image, window))
