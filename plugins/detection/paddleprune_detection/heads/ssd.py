"""SSD's head, from Liu et al., "SSD: Single Shot MultiBox Detector" (2016), section 2.2."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import Array
from paddleprune_detection.config import DetectionLoss
from paddleprune_detection.heads.base import Candidates, Head, Limits
from paddleprune_detection.heads.boxes import (
    cells,
    corners,
    decoded,
    encoded,
    lies_on,
    overlap_loss,
    overlaps,
    smooth_l1,
)
from paddleprune_detection.heads.terms import at, joined
from paddleprune_detection.heads.truth import Assignment, Match, Truth, assign, no_match, truths

LEVELS = 6
_RATIOS = ((2,), *[(2, 3)] * (LEVELS - 1))
"""Width over height of each level's boxes, or height over width, beside two squares."""
_VARIANCES = np.array([0.1, 0.1, 0.2, 0.2], np.float32)
"""The outputs' unit, so that all of them vary about as much."""
_LIKE = 0.5
_NEGATIVES = 3


def boxes_per_cell(level: int) -> int:
    """How many boxes of different shapes each cell of a level has."""
    return 2 + 2 * len(_RATIOS[level])


class SsdHead(Head):
    """Outputs: for each level, finest first, offsets [N, A * 4, H, W] and class scores [N, A * (classes + 1), H, W].

    The last class is the background; scores are those before the softmax.

    Args:
        classes: how many there are, without the background.
        limits: what is reported.
        size: height and width of the input.
        sides: of the finest and of the coarsest level's boxes, as shares of the input's.
    """

    def __init__(self, classes: int, limits: Limits, size: tuple[int, int], sides: tuple[float, float]) -> None:
        super().__init__(classes, limits)
        self.size, self.sides = size, sides

    def candidates(self, outputs: tuple[Array, ...]) -> Candidates:
        """Every class of every box whose probability exceeds the threshold."""
        offsets, scores = self._rows(tuple(map(paddle.to_tensor, outputs)))
        shares = F.softmax(scores, axis=-1).numpy()[..., :-1]
        image, place, kind = np.nonzero(shares > self.limits.score)
        anchors = self._anchors(outputs)[place]
        boxes = decoded(offsets.numpy()[image, place] * _VARIANCES, anchors)
        return Candidates(image, boxes, shares[image, place, kind], kind)

    def everything(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Every class but the background of every box."""
        offsets, scores = self._rows(outputs)
        boxes = decoded(offsets * paddle.to_tensor(_VARIANCES), paddle.to_tensor(self._anchors(outputs)))
        return boxes, F.softmax(scores, axis=-1)[..., :-1].transpose([0, 2, 1])

    def loss(self, outputs: tuple[Tensor, ...], targets: dict[str, Tensor], config: DetectionLoss) -> Tensor:
        """Class and box terms, summed over the batch and divided by the number of boxes that answer for objects.

        Those are the boxes that overlap an object by at least half, and the best box of each object. Of the others
        the three times as many with the greatest loss count as background; of an image without objects, three.
        """
        offsets, scores = self._rows(outputs)
        anchors = self._anchors(outputs)
        found = assign(truths(targets, config), lambda _, truth: _match(anchors, truth))
        background = self.classes
        wanted = np.full(found.ignored.shape, background, np.int64)
        wanted[found.images, found.places] = found.classes
        each = F.cross_entropy(scores, paddle.to_tensor(wanted[..., np.newaxis]), axis=-1, reduction="none")[..., 0]
        weights = found.filled(found.weights) + _hardest(each.detach().numpy(), found)
        total = (each * paddle.to_tensor(weights)).sum()
        if len(found.images):
            chosen, here = at(offsets, found), anchors[found.places]
            goal = encoded(found.boxes, here) / _VARIANCES
            boxes = smooth_l1(chosen - paddle.to_tensor(goal)).sum(1)
            if config.box != "own":
                guessed = decoded(chosen * paddle.to_tensor(_VARIANCES), paddle.to_tensor(here))
                boxes = boxes + overlap_loss(guessed, paddle.to_tensor(found.boxes), config.box)
            total = total + (boxes * paddle.to_tensor(found.weights)).sum()
        return total / max(1.0, float(found.weights.sum()))

    def _rows(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return joined(outputs[0::2], 4), joined(outputs[1::2], self.classes + 1)

    def _anchors(self, outputs: tuple[Tensor, ...] | tuple[Array, ...]) -> Array:
        grids = tuple((int(output.shape[2]), int(output.shape[3])) for output in outputs[0::2])
        return _anchors(grids, self.size, *self.sides)


@lru_cache(maxsize=16)
def _anchors(grids: tuple[tuple[int, int], ...], size: tuple[int, int], smallest: float, largest: float) -> Array:
    """[K, 4]: the boxes of all levels, in pixels of the input; section 2.2, "Choosing scales and aspect ratios"."""
    sides = [*np.linspace(smallest, largest, len(grids)), 1.0]
    pixels = np.array(size[::-1], np.float32)
    found = []
    for level, grid in enumerate(grids):
        side, between = sides[level], np.sqrt(sides[level] * sides[level + 1])
        wide = [(side * ratio**0.5, side / ratio**0.5) for ratio in _RATIOS[level]]
        shapes = np.array([(side, side), (between, between), *wide, *(shape[::-1] for shape in wide)]) * pixels
        centres = np.repeat((cells(*grid) + 0.5) / grid[::-1] * pixels, len(shapes), axis=0)
        found.append(corners(centres, np.tile(shapes / 2, (grid[0] * grid[1], 1))))
    return np.concatenate(found).astype(np.float32)


def _match(anchors: Array, truth: Truth) -> Match:
    ignored = lies_on(anchors, truth.passed_over)
    if not len(truth.boxes):
        return no_match(ignored)
    likeness = overlaps(anchors, truth.boxes)
    likeness[likeness.argmax(axis=0), np.arange(len(truth.boxes))] = 2  # each object has at least one box
    places = np.flatnonzero(likeness.max(axis=1) >= _LIKE)
    ignored[places] = False
    return Match(places, likeness[places].argmax(axis=1), ignored)


def _hardest(losses: Array, found: Assignment) -> Array:
    """[N, K]: 1 at the places that count as background."""
    answering = found.filled(np.ones(len(found.images)))
    losses = np.where(found.ignored | (answering > 0), -np.inf, losses)
    most = _NEGATIVES * np.maximum(answering.sum(axis=1, keepdims=True), 1)
    rank = np.argsort(np.argsort(-losses, axis=1), axis=1)
    return np.asarray((rank < most) & np.isfinite(losses), np.float32)
