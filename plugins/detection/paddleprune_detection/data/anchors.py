"""Anchors that fit the data: the sizes of its boxes, clustered.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger" (2017), section 2, "Dimension Clusters".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.specs import Contract
from paddleprune.vision.picture import Picture
from paddleprune.vision.specs import Letterbox
from paddleprune.vision.transforms import preprocess
from paddleprune_detection.config import DetectionData
from paddleprune_detection.data.dataset import read_records
from paddleprune_detection.data.transforms import default_transforms
from paddleprune_detection.transform_specs import Resize, ResizeByShort

_RESTARTS = 5
_ROUNDS = 100


def find_anchors(
    config: DetectionData, input_size: tuple[int, int], count: int = 9, seed: int = 0
) -> tuple[tuple[int, int], ...]:
    """Widths and heights of anchors, in pixels of the input, the smallest area first.

    Args:
        config: the training data; its images are resized as its transforms say, or to the input where it has none.
        input_size: height and width of the model's input.
        count: how many anchors.
        seed: of the random start.

    Raises:
        DataError: the data can't be used, or has boxes of fewer different sizes.
    """
    sizes = box_sizes(config, input_size)
    different = len(np.unique(sizes, axis=0))
    if different < count:
        source = config.ann_file or config.file_list
        raise DataError(f"{source} has boxes of {different} sizes; ask for at most so many anchors, not {count}")
    rng = np.random.default_rng(seed)
    tries = [cluster(sizes, count, rng) for _ in range(_RESTARTS)]
    best = max(tries, key=lambda centres: float(size_overlaps(sizes, centres).max(1).mean()))
    rounded = np.maximum(1, np.rint(best)).astype(int)
    return tuple((int(width), int(height)) for width, height in rounded[np.argsort(rounded.prod(1), kind="stable")])


def box_sizes(config: DetectionData, input_size: tuple[int, int]) -> Array:
    """Width and height of every box, in pixels of the input: [n, 2] float64. Crowds are left out."""
    steps = default_transforms("eval", input_size, 3) if config.transforms is None else config.transforms
    steps = tuple(step for step in steps if isinstance(step, (Resize, ResizeByShort, Letterbox)))
    scales: dict[tuple[int, int], Array] = {}
    found = [np.zeros((0, 2))]
    for record in read_records(config)[1]:
        if record.size not in scales:
            scales[record.size] = _scale(record.size, steps)
        boxes = record.objects.boxes[~record.objects.crowd].astype(np.float64)
        found.append((boxes[:, 2:] - boxes[:, :2]) * scales[record.size])
    return np.concatenate(found)


def cluster(sizes: Array, count: int, rng: np.random.Generator) -> Array:
    """k-means of [n, 2] sizes, in which 1 - intersection over union is the distance: [count, 2]."""
    centres = sizes[[rng.integers(len(sizes))]]
    while len(centres) < count:  # k-means++: what is far from all centres is likelier to become one
        distances = 1 - size_overlaps(sizes, centres).max(1)
        chosen = rng.choice(len(sizes), p=distances / distances.sum())
        centres = np.concatenate([centres, sizes[[chosen]]])
    nearest = None
    for _ in range(_ROUNDS):
        before, nearest = nearest, size_overlaps(sizes, centres).argmax(1)
        if before is not None and np.array_equal(before, nearest):
            break
        members = [sizes[nearest == number] for number in range(count)]
        centres = np.stack([m.mean(0) if len(m) else c for m, c in zip(members, centres, strict=True)])
    return centres


def size_overlaps(sizes: Array, centres: Array) -> Array:
    """Intersection over union of boxes with the same middle: [n, 2], [k, 2] -> [n, k]."""
    both = np.minimum(sizes[:, np.newaxis], centres).prod(-1)
    ratio: Array = both / (sizes.prod(1)[:, np.newaxis] + centres.prod(1) - both)
    return ratio


def _scale(size: tuple[int, int], steps: Sequence[Contract]) -> Array:
    """By which an image of this height and width is resized along x and y."""
    blank = Picture.of(np.zeros((*size, 1), np.uint8))
    return preprocess(blank, steps, np.random.default_rng(0)).frame.scale
