"""What a detector found on an image, beside what is there."""

from __future__ import annotations

from typing import NamedTuple

from paddleprune.interfaces import Array


class Result(NamedTuple):
    """One image; boxes are left, top, right, bottom in pixels of the original.

    Attributes:
        boxes: [k, 4] float64: what was found, the best first.
        scores: [k] float64.
        classes: [k] int64.
        true_boxes: [m, 4] float64: what is there.
        true_classes: [m] int64.
        ignored: [m] bool: to find it is neither right nor wrong, to miss it neither.
    """

    boxes: Array
    scores: Array
    classes: Array
    true_boxes: Array
    true_classes: Array
    ignored: Array
