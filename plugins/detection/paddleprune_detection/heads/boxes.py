"""Boxes: left, top, right, bottom."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import paddle
from paddle import Tensor

from paddleprune.interfaces import Array

_TINY = 1e-7
_LONGEST = 8.0
"""Of logarithms of sizes."""
_COVERED = 0.5


def overlaps(first: Array, second: Array) -> Array:
    """Intersection over union of each pair: [n, 4], [m, 4] -> [n, m]."""
    shared = _shared(first, second)
    return np.asarray(shared / np.maximum(_areas(first)[:, np.newaxis] + _areas(second) - shared, _TINY))


def lies_on(boxes: Array, others: Array) -> Array:
    """[n] bool: at least half of a box [n, 4] lies on one of the others [m, 4]."""
    if not len(others):
        return np.zeros(len(boxes), np.bool_)
    covered: Array = _shared(boxes, others).max(axis=1) >= _COVERED * np.maximum(_areas(boxes), _TINY)
    return covered


def _shared(first: Array, second: Array) -> Array:
    low = np.maximum(first[:, np.newaxis, :2], second[:, :2])
    high = np.minimum(first[:, np.newaxis, 2:], second[:, 2:])
    sides = np.clip(high - low, 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])


def _areas(boxes: Array) -> Array:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def overlap_loss(said: Tensor, true: Tensor, kind: Literal["own", "iou", "giou"]) -> Tensor:
    """1 minus the overlap of each of the boxes [p, 4] with the true one beside it: [p].

    `giou` also subtracts the share of the smallest box around both that neither covers, so that boxes that don't meet
    still know where to go (Rezatofighi et al., "Generalized Intersection over Union", 2019, algorithm 1). It is the
    own loss of the families that compare boxes by their overlap.
    """
    low, high = said[:, :2].maximum(true[:, :2]), said[:, 2:].minimum(true[:, 2:])
    shared = _product((high - low).clip(min=0))
    union = _product((said[:, 2:] - said[:, :2]).clip(min=0)) + _product(true[:, 2:] - true[:, :2]) - shared
    overlap = shared / (union + _TINY)
    if kind == "iou":
        return 1 - overlap
    around = _product(said[:, 2:].maximum(true[:, 2:]) - said[:, :2].minimum(true[:, :2]))
    return 1 - overlap + (around - union) / (around + _TINY)


def _product(sides: Tensor) -> Tensor:
    """Of both columns; the gradient of Paddle's `prod` is no number where one of them is 0."""
    return sides[:, 0] * sides[:, 1]


def smooth_l1(difference: Tensor, knee: float = 1.0) -> Tensor:
    """x^2 / 2k up to the knee k, then |x| - k/2 (Girshick, "Fast R-CNN", 2015, equation 3, where it is 1)."""
    size = difference.abs()
    within = size.clip(max=knee)
    return within * (size - within / 2) / knee


def encoded(boxes: Array, anchors: Array) -> Array:
    """Boxes as offsets from anchors, both [p, 4]: centres in sizes of the anchor, logarithms of relative sizes.

    Ren et al., "Faster R-CNN" (2015), equation 2.
    """
    (centres, sizes), (middles, extents) = _centred(boxes), _centred(anchors)
    return np.concatenate([(centres - middles) / extents, np.log(sizes / extents)], axis=-1)


def decoded(offsets: Any, anchors: Any) -> Any:
    """The boxes that `encoded` made offsets of, both [..., 4]; arrays, or tensors."""
    middles, extents = _centred(anchors)
    return corners(middles + offsets[..., :2] * extents, bounded_exp(offsets[..., 2:]) * extents / 2)


def bounded_exp(x: Any) -> Any:
    """exp of an array or tensor; finite, whatever a diverged model says."""
    library = _library(x)
    return library.exp(library.clip(x, -_LONGEST, _LONGEST))


def corners(centres: Any, halves: Any) -> Any:
    """Boxes [..., 4] of centres and half sizes, both [..., 2]; arrays, or tensors."""
    parts = [centres - halves, centres + halves]
    return np.concatenate(parts, axis=-1) if _library(centres) is np else paddle.concat(parts, axis=-1)


def _library(x: Any) -> Any:
    return np if isinstance(x, np.ndarray) else paddle


def _centred(boxes: Any) -> tuple[Any, Any]:
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]


@lru_cache(maxsize=64)
def cells(height: int, width: int) -> Array:
    """[height * width, 2] float32: x and y of every cell of a map, row by row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32)
