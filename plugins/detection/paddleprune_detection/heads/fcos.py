"""FCOS's head, from Tian et al., "FCOS: Fully Convolutional One-Stage Object Detection" (2019), section 3.

With two of the authors' own later changes: objects are learnt near their centre only, and distances are in strides.
"""

from __future__ import annotations

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import Array
from paddleprune_detection.config import DetectionLoss
from paddleprune_detection.heads.base import Candidates, Head, sigmoid
from paddleprune_detection.heads.boxes import bounded_exp, lies_on, overlap_loss
from paddleprune_detection.heads.points import around, chosen, distances, grids_of, points, together
from paddleprune_detection.heads.terms import at, binary, focal, joined
from paddleprune_detection.heads.truth import Match, Truth, assign, no_match, truths

STRIDES = (8, 16, 32, 64, 128)
_NEAR = 1.5
"""Strides from an object's centre within which points learn it."""
_REACH = 8
"""Strides that the farthest side of an object may be away from a point; half as many are left to the level before."""


class FcosHead(Head):
    """Outputs, for each level, finest first: class scores [N, classes, H, W], logarithms of the distances to the
    left, top, right and bottom in strides [N, 4, H, W], and centre-ness [N, 1, H, W]; scores before the sigmoid.
    """

    def candidates(self, outputs: tuple[Array, ...]) -> Candidates:
        """Every class of every point whose score, times how central it is, exceeds the threshold."""
        levels = zip(outputs[0::3], outputs[1::3], outputs[2::3], STRIDES, strict=True)
        return together([self._on_level(*level) for level in levels])

    def _on_level(self, scores: Array, logarithms: Array, central: Array, stride: int) -> Candidates:
        def pixels(image: Array, row: Array, column: Array) -> Array:
            return np.asarray(bounded_exp(logarithms[image, :, row, column]) * np.float32(stride))

        return chosen(sigmoid(scores) * sigmoid(central), stride, self.limits.score, pixels)

    def everything(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Every class of every point."""
        scores, logarithms, central = self._rows(outputs)
        middles, strides = map(paddle.to_tensor, points(grids_of(outputs[0::3]), STRIDES))
        likely = F.sigmoid(scores) * F.sigmoid(central)
        return around(middles, bounded_exp(logarithms) * strides), likely.transpose([0, 2, 1])

    def loss(self, outputs: tuple[Tensor, ...], targets: dict[str, Tensor], config: DetectionLoss) -> Tensor:
        """Focal loss of the classes, overlap loss of the boxes (GIoU) and cross entropy of the centre-ness.

        Each is summed over the batch; the first and last are divided by the number of points that learn an object,
        the second, in which each point counts by its centre-ness, by the sum of that.
        """
        scores, logarithms, central = self._rows(outputs)
        middles, strides = points(grids_of(outputs[0::3]), STRIDES)
        found = assign(truths(targets, config), lambda _, truth: match(middles, strides, truth))
        wanted = np.zeros(tuple(scores.shape), np.float32)
        wanted[found.images, found.places, found.classes] = found.weights
        counted = paddle.to_tensor((~found.ignored).astype(np.float32))
        total = (focal(scores, paddle.to_tensor(wanted)).sum(-1) * counted).sum()
        if len(found.images):
            here, stride = middles[found.places], strides[found.places]
            centre = centredness(here, found.boxes)
            said = bounded_exp(at(logarithms, found)) * paddle.to_tensor(stride)
            boxes = overlap_loss(around(paddle.to_tensor(here), said), paddle.to_tensor(found.boxes), config.box)
            shares = found.weights * centre
            total = total + (boxes * paddle.to_tensor(shares)).sum() * (
                float(found.weights.sum()) / float(shares.sum())
            )
            how = binary(at(central, found)[:, 0], paddle.to_tensor(centre))
            total = total + (how * paddle.to_tensor(found.weights)).sum()
        return total / max(1.0, float(found.weights.sum()))

    def _rows(self, outputs: tuple[Tensor, ...]) -> list[Tensor]:
        return [joined(outputs[part::3], numbers) for part, numbers in ((0, self.classes), (1, 4), (2, 1))]


def match(middles: Array, strides: Array, truth: Truth) -> Match:
    """Each point learns the smallest object whose size suits its level and near whose centre it lies."""
    ignored = lies_on(np.concatenate([middles - strides / 2, middles + strides / 2], axis=1), truth.passed_over)
    if not len(truth.boxes):
        return no_match(ignored)
    boxes = truth.boxes
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    near = np.abs(middles[:, np.newaxis] - centres).max(axis=-1) < _NEAR * strides
    sides = distances(middles, boxes)
    farthest = sides.max(axis=-1)
    lowest = np.where(strides == strides.min(), 0, _REACH / 2 * strides)
    highest = np.where(strides == strides.max(), np.inf, _REACH * strides)
    suits = (sides.min(axis=-1) > 0) & near & (farthest >= lowest) & (farthest < highest)
    areas = np.where(suits, (boxes[:, 2:] - boxes[:, :2]).prod(axis=1), np.inf)
    places = np.flatnonzero(suits.any(axis=1))
    ignored[places] = False
    return Match(places, areas[places].argmin(axis=1), ignored)


def centredness(middles: Array, boxes: Array) -> Array:
    """How central each point [p, 2] is in its box [p, 4]: 1 in the centre, 0 at the edge (equation 3)."""
    low, high = middles - boxes[:, :2], boxes[:, 2:] - middles
    shares = np.minimum(low, high) / np.maximum(low, high)
    return np.asarray(np.sqrt(np.clip(shares.prod(axis=1), 0, None)))
