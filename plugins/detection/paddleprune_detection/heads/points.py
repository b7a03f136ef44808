"""What the heads without anchors share: points, one in the middle of each cell, and distances from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import paddle

from paddleprune.interfaces import Array
from paddleprune_detection.heads.base import Candidates
from paddleprune_detection.heads.boxes import cells


def grids_of(maps: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """Height and width of each map, of arrays or tensors [N, C, H, W]."""
    return tuple((int(one.shape[2]), int(one.shape[3])) for one in maps)


@lru_cache(maxsize=16)
def points(grids: tuple[tuple[int, int], ...], strides: tuple[int, ...]) -> tuple[Array, Array]:
    """The points of all levels, [K, 2], in pixels of the input, and the stride of each, [K, 1]."""
    pairs = list(zip(grids, strides, strict=True))
    each = [np.full((height * width, 1), stride, np.float32) for (height, width), stride in pairs]
    return np.concatenate([(cells(*grid) + 0.5) * stride for grid, stride in pairs]), np.concatenate(each)


def around(middles: Any, distances: Any) -> Any:
    """Boxes [..., 4] from points [..., 2] and distances to the left, top, right and bottom [..., 4]."""
    parts = [middles - distances[..., :2], middles + distances[..., 2:]]
    return np.concatenate(parts, axis=-1) if isinstance(distances, np.ndarray) else paddle.concat(parts, axis=-1)


def distances(middles: Array, boxes: Array) -> Array:
    """From points [K, 2] to the left, top, right and bottom of boxes [m, 4]: [K, m, 4], negative outside."""
    low, high = middles[:, np.newaxis] - boxes[:, :2], boxes[:, 2:] - middles[:, np.newaxis]
    return np.concatenate([low, high], axis=-1)


def chosen(
    scores: Array, stride: int, threshold: float, boxes_at: Callable[[Array, Array, Array], Array]
) -> Candidates:
    """The candidates of one level.

    Args:
        scores: [N, classes, H, W].
        stride: of the level.
        threshold: of scores.
        boxes_at: images, rows and columns, each [k] -> distances [k, 4] from the points there, in pixels.
    """
    image, kind, row, column = np.nonzero(scores > threshold)
    middles = (np.stack([column, row], axis=1) + np.float32(0.5)) * np.float32(stride)
    return Candidates(image, around(middles, boxes_at(image, row, column)), scores[image, kind, row, column], kind)


def together(parts: Sequence[Candidates]) -> Candidates:
    """The candidates of all levels."""
    return Candidates(*(np.concatenate(part) for part in zip(*parts, strict=True)))
