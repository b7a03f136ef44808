"""Parts of an image that show an object well enough (SSD)."""

from __future__ import annotations

import numpy as np

from paddleprune.interfaces import Array
from paddleprune.vision.picture import Picture, cut_out
from paddleprune_detection.transform_specs import RandomCrop


def random_crop(step: RandomCrop, picture: Picture, rng: np.random.Generator) -> Picture:
    """A part as `step` says, or the picture itself."""
    boxes = picture.objects.boxes
    if not len(boxes):
        return picture
    thresholds: list[float | None] = [*step.thresholds, *([None] if step.allow_no_crop else [])]
    for which in rng.permutation(len(thresholds)):
        threshold = thresholds[which]
        if threshold is None:
            return picture
        parts = _parts(step, picture.size, rng)
        overlaps = _overlaps(parts, boxes)
        best = overlaps.min(1) if step.cover_all_box else overlaps.max(1)
        middles = _middles_inside(parts, boxes)
        good = np.flatnonzero((best >= threshold) & middles.any(1))
        if len(good):
            left, top, right, bottom = (int(edge) for edge in parts[good[0]])
            kept = picture._replace(objects=picture.objects.take(middles[good[0]]))
            return cut_out(kept, (bottom - top, right - left), (top, left))
    return picture


def _parts(step: RandomCrop, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """`num_attempts` parts of an image of this height and width: [n, 4] int64, edges as a box has them."""
    height, width = size
    scale = rng.uniform(*step.scaling, step.num_attempts)
    low, high = step.aspect_ratio
    # No part is wider or higher than the image.
    aspect = rng.uniform(np.maximum(low, scale**2), np.maximum(low, np.minimum(high, scale**-2)))
    exact = np.stack([width * scale * np.sqrt(aspect), height * scale / np.sqrt(aspect)], axis=1)
    sides: Array = np.clip(exact, 1, (width, height)).astype(np.int64)
    corners = rng.integers(0, np.array([width, height]) - sides + 1)
    return np.concatenate([corners, corners + sides], axis=1)


def _overlaps(parts: Array, boxes: Array) -> Array:
    """Intersection over union: [parts, boxes]."""
    p, b = parts[:, np.newaxis].astype(np.float64), boxes[np.newaxis].astype(np.float64)
    sides = np.minimum(p[..., 2:], b[..., 2:]) - np.maximum(p[..., :2], b[..., :2])
    both = sides.clip(min=0).prod(-1)
    areas = [(edges[..., 2:] - edges[..., :2]).prod(-1) for edges in (p, b)]
    ratio: Array = both / (areas[0] + areas[1] - both)
    return ratio


def _middles_inside(parts: Array, boxes: Array) -> Array:
    """Does the middle of the box lie within the part? [parts, boxes]."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.asarray(((parts[:, np.newaxis, :2] <= middles) & (middles < parts[:, np.newaxis, 2:])).all(-1))
