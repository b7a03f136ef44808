"""What an annotation says of one image, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.vision.lists import Item, ReadLater
from paddleprune.vision.objects import Objects

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels; 0 is the image's edge."""
_OVERHANG = 1.0
"""Pixels by which a box may leave its image: tools differ in where the first pixel is, and in rounding."""
_WAY_OUT = "correct the box or delete the object"


@dataclass(frozen=True)
class Record(Item):
    """An image and its objects.

    Attributes:
        size: its height and width, as the annotation says.
        objects: in pixels of that file.
    """

    size: tuple[int, int]
    objects: Objects


class Renumbered(ReadLater[Record]):
    """Records with other numbers of classes: [classes] int64, old to new."""

    def __init__(self, records: Sequence[Record], numbers: Array) -> None:
        self.records, self._numbers = records, numbers

    def __len__(self) -> int:
        return len(self.records)

    def made(self, index: int) -> Record:
        """A record, renumbered."""
        record = self.records[index]
        return replace(record, objects=record.objects._replace(classes=self._numbers[record.objects.classes]))


def fitted(box: Box, size: tuple[int, int], place: str) -> Box:
    """The box, cut off at the edges of an image of this height and width.

    Args:
        box: to check.
        size: of the image.
        place: whose box it is and what the file says, for messages.

    Raises:
        DataError: it has no area, or reaches farther outside the image than rounding explains.
    """
    left, top, right, bottom = box
    height, width = size
    if not (left < right and top < bottom):
        raise DataError(f"{place} has no area; {_WAY_OUT}")
    most = max(-left, -top, right - width, bottom - height)
    inside = max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
    if most > _OVERHANG or not (inside[0] < inside[2] and inside[1] < inside[3]):
        raise DataError(f"{place} reaches outside its image, {width} wide and {height} high; {_WAY_OUT}")
    return inside
