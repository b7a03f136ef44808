"""The objects of an image, and how the model's input lies in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from paddleprune.interfaces import Array

PADDING = -1
"""The class of the rows that make the images of a batch equally long."""


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


def joined(first: Objects, second: Objects) -> Objects:
    """The objects of both, those of the first one first."""
    return Objects(*(np.concatenate(parts) for parts in zip(first, second, strict=True)))


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


Target: TypeAlias = tuple[Objects, Frame, int]
"""The objects of a sample, how its input lies in the original image, and its index in the dataset."""


def collate_targets(targets: Sequence[Target]) -> dict[str, Array]:
    """Targets of N samples as arrays that are padded to the same number of objects M, at least 1.

    Returns:
        `boxes` [N, M, 4] float32, `classes` [N, M] int64 (`PADDING` where there is no object), `difficult` and
        `crowd` [N, M] bool, `weights` [N, M] float32; `scale`, `offset` [N, 2] float64 and `size` [N, 2] int64 as in
        `Frame`; `image` [N] int64, the indices in the dataset.
    """
    count, most = len(targets), max(1, *(len(objects.classes) for objects, _, _ in targets))
    batch: dict[str, Array] = {
        "boxes": np.zeros((count, most, 4), np.float32),
        "classes": np.full((count, most), PADDING, np.int64),
        "difficult": np.zeros((count, most), np.bool_),
        "crowd": np.zeros((count, most), np.bool_),
        "weights": np.zeros((count, most), np.float32),
    }
    for row, (objects, _, _) in enumerate(targets):
        for name, part in objects._asdict().items():
            batch[name][row, : len(part)] = part
    for name in Frame._fields:
        batch[name] = np.stack([getattr(frame, name) for _, frame, _ in targets])
    batch["image"] = np.array([index for _, _, index in targets], np.int64)
    return batch
