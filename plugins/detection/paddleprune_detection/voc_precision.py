"""Pascal VOC's average precision.

Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge" (2010), section 4.2, and the development kits of
2007 (the mean at 11 points) and 2010 (the area under the curve).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddleprune.interfaces import Array
from paddleprune_detection.results import Result

_POINTS = np.arange(11) / 10


def voc_precision(results: Sequence[Result], classes: int, overlap: float, integral: bool) -> Array:
    """The average precision of each class, NaN for one that has no object: [classes].

    In the order of their scores, over all images, detections claim the object of their class that they overlap most.
    The first one whose intersection over union is at least `overlap` is right, later ones are wrong.

    Args:
        results: all images.
        classes: how many there are.
        overlap: least intersection over union.
        integral: the area under the curve rather than its mean at 11 points.
    """
    claimed, found, first = [], [], 0
    for result in results:
        which, overlaps = _nearest(result)
        hit = overlaps >= overlap
        ignored = np.zeros(len(which), np.bool_)
        ignored[hit] = result.ignored[which[hit]]
        claimed.append(np.where(hit, first + which, -1)[~ignored])
        found.append(np.stack([result.scores, result.classes], axis=1)[~ignored])
        first += len(result.true_classes)
    objects, scored = np.concatenate(claimed), np.concatenate(found)
    true_classes = np.concatenate([result.true_classes[~result.ignored] for result in results])
    values = np.full(classes, np.nan)
    for number in np.unique(true_classes):
        ours = scored[:, 1] == number
        order = np.argsort(-scored[ours, 0], kind="stable")
        recall, precision = curve(objects[ours][order], int((true_classes == number).sum()))
        values[number] = area(recall, precision) if integral else at_points(recall, precision)
    return values


def curve(objects: Array, there: int) -> tuple[Array, Array]:
    """Recall and precision after each detection, the best first.

    Args:
        objects: [k]: which object a detection claims, -1 for none.
        there: how many objects there are.
    """
    right = np.zeros(len(objects), np.bool_)
    right[np.unique(objects, return_index=True)[1]] = True
    right &= objects >= 0
    hits = np.cumsum(right)
    return hits / there, hits / np.arange(1, len(objects) + 1)


def area(recall: Array, precision: Array) -> float:
    """Under the curve, each precision replaced by the best one at its recall or a greater one."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0) * envelope).sum())


def at_points(recall: Array, precision: Array) -> float:
    """The mean, over recalls 0, 0.1, ..., 1, of the best precision at that recall or a greater one; 0 where none is."""
    best = [precision[recall >= point - 1e-9].max(initial=0) for point in _POINTS]
    return float(np.mean(best))


def _nearest(result: Result) -> tuple[Array, Array]:
    """Of each detection the object of its class that it overlaps most, and their intersection over union: [k], [k]."""
    if not len(result.true_classes):
        return np.zeros(len(result.classes), np.int64), np.full(len(result.classes), -1.0)
    same = result.classes[:, np.newaxis] == result.true_classes
    overlaps = np.where(same, intersection_over_union(result.boxes, result.true_boxes), -1)
    which = overlaps.argmax(1)
    return which, np.take_along_axis(overlaps, which[:, np.newaxis], 1)[:, 0]


def intersection_over_union(boxes: Array, others: Array) -> Array:
    """Of each box with each other one: [n, 4], [m, 4] -> [n, m]."""
    a, b = boxes[:, np.newaxis], others[np.newaxis]
    both = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(min=0).prod(-1)
    areas = [(edges[..., 2:] - edges[..., :2]).prod(-1) for edges in (a, b)]
    ratio: Array = both / np.maximum(areas[0] + areas[1] - both, 1e-12)
    return ratio
