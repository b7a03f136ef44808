"""COCO's average precision, by faster-coco-eval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from paddleprune.interfaces import Array
from paddleprune_detection.results import Result

SIZES = ("small", "medium", "large")
_AREAS = {"all": [0.0, 1e10], "small": [0.0, 32.0**2], "medium": [32.0**2, 96.0**2], "large": [96.0**2, 1e10]}
"""Of objects, in pixels of the original image, as COCO has them."""
_MOST = 100
"""Detections of an image that count."""


def coco_precision(results: Sequence[Result], classes: int, sizes: Sequence[str] = ()) -> Array:
    """The average precision of each class at overlaps 0.5, 0.55, ..., 0.95: [1 + sizes, 10, classes].

    First that of all objects, then of those of each of the sizes alone, of `SIZES`; NaN: the class has no such object.
    Ignored objects are crowds: a detection of which at least such a share lies in it counts nowhere.
    """
    named = ("all", *sizes)
    truth, found = _truth(results, classes), _found(results, classes)
    if not any(len(result.classes) for result in results):  # the library can't load no detections
        return _nothing_found(results, classes, sizes)
    evaluation = COCOeval_faster(truth, found, iouType="bbox", print_function=_silent)
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [_AREAS[size] for size in named], list(named)
    evaluation.params.maxDets = [_MOST]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = np.asarray(evaluation.eval["precision"])[..., 0].transpose(3, 0, 1, 2)
    return np.where(precision[:, :, 0] > -1, precision.mean(2), np.nan)  # over the recalls


def _nothing_found(results: Sequence[Result], classes: int, sizes: Sequence[str]) -> Array:
    """0 for each class that has an object of the size."""
    kinds = np.concatenate([r.true_classes[~r.ignored] for r in results])
    areas = np.concatenate([(r.true_boxes[:, 2:] - r.true_boxes[:, :2]).prod(1)[~r.ignored] for r in results])
    bounds = (_AREAS[size] for size in ("all", *sizes))
    has = [np.isin(np.arange(classes), kinds[(areas >= low) & (areas <= high)]) for low, high in bounds]
    return np.repeat(np.where(has, 0.0, np.nan)[:, np.newaxis], 10, axis=1)


def _truth(results: Sequence[Result], classes: int) -> COCO:
    entries: list[dict[str, Any]] = []
    for image, result in enumerate(results):
        parts = _sides(result.true_boxes), result.true_classes.tolist(), result.ignored.tolist()
        for box, kind, ignored in zip(*parts, strict=True):
            entries.append(_entry(len(entries), image, kind, box) | {"iscrowd": int(ignored)})
    return _coco(entries, len(results), classes)


def _found(results: Sequence[Result], classes: int) -> COCO:
    entries: list[dict[str, Any]] = []
    for image, result in enumerate(results):
        parts = _sides(result.boxes), result.classes.tolist(), result.scores.tolist()
        for box, kind, score in zip(*parts, strict=True):
            entries.append(_entry(len(entries), image, kind, box) | {"score": score})
    return _coco(entries, len(results), classes)


def _entry(before: int, image: int, kind: int, box: list[float]) -> dict[str, Any]:
    """Ids begin at 1: the library takes 0 for no object."""
    return {"id": before + 1, "image_id": image, "category_id": kind, "bbox": box, "area": box[2] * box[3]}


def _sides(boxes: Array) -> list[list[float]]:
    """Left, top, width, height."""
    sides: list[list[float]] = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
    return sides


def _coco(entries: list[dict[str, Any]], images: int, classes: int) -> COCO:
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number} for number in range(images)],
        "categories": [{"id": number} for number in range(classes)],
        "annotations": entries,
    }
    coco.createIndex()
    return coco


def _silent(*_: object) -> None:
    """The library tells its progress."""
