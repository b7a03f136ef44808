"""Faster R-CNN's head, from Ren et al., "Faster R-CNN" (2015), section 3, with a feature pyramid."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import Array
from paddleprune_detection.config import DetectionLoss
from paddleprune_detection.heads.base import Candidates, Head
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
from paddleprune_detection.heads.points import grids_of
from paddleprune_detection.heads.terms import at, binary, joined
from paddleprune_detection.heads.truth import Assignment, Match, Truth, assign, no_match, truths

STRIDES = (4, 8, 16, 32, 64)
RATIOS = (0.5, 1.0, 2.0)
"""Height over width of the anchors."""
VARIANCES = np.array([0.1, 0.1, 0.2, 0.2], np.float32)
"""The second stage's unit of offsets."""
_KNEE = 1 / 9
"""Of the first stage's smooth L1 loss, as in the authors' program: its offsets, in sizes of an anchor, are small."""
_SIDE = 8
"""Strides of an anchor's side, were it square."""
_ALIKE, _UNLIKE, _HIT = 0.7, 0.3, 0.5
_ANCHORS, _ANCHORS_WITH_OBJECT = 256, 128
"""Of an image, that learn: in all, and at most with an object."""
_BOXES, _BOXES_WITH_OBJECT = 128, 32
"""The same of proposals."""


class TwoStageHead(Head):
    """Outputs: proposals [N, R, 4] in pixels of the input, class scores [N, R, classes + 1] with the background last,
    offsets [N, R, 4 * classes]; then for each level, finest first, the first stage's objectness [N, A, H, W] and
    offsets [N, A * 4, H, W]; scores before softmax and sigmoid.
    """

    def candidates(self, outputs: tuple[Array, ...]) -> Candidates:
        """Every class of every proposal whose probability exceeds the threshold."""
        proposals, scores, offsets = outputs[:3]
        shares = F.softmax(paddle.to_tensor(scores), axis=-1).numpy()[..., :-1]
        image, place, kind = np.nonzero(shares > self.limits.score)
        chosen = offsets.reshape(*shares.shape, 4)[image, place, kind] * VARIANCES
        return Candidates(image, decoded(chosen, proposals[image, place]), shares[image, place, kind], kind)

    def everything(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Every class of every proposal; each has a box for each class, whose other scores are 0."""
        proposals, scores, offsets = outputs[:3]
        count, each = proposals.shape[1], [-1, proposals.shape[1] * self.classes, 4]
        moves = offsets.reshape([-1, count, self.classes, 4]) * paddle.to_tensor(VARIANCES)
        boxes = decoded(moves, proposals.unsqueeze(2)).reshape(each)
        shares = F.softmax(scores, axis=-1)[..., :-1].transpose([0, 2, 1])
        own = paddle.eye(self.classes).unsqueeze(1)
        return boxes, (shares.unsqueeze(-1) * own).flatten(2)

    def loss(self, outputs: tuple[Tensor, ...], targets: dict[str, Tensor], config: DetectionLoss) -> Tensor:
        """Cross entropies and box terms of both stages, each divided by the number of places that were drawn."""
        objects = truths(targets, config)
        return self._first(outputs[3:], objects, config) + self._second(outputs[:3], objects, config)

    def _first(self, outputs: tuple[Tensor, ...], objects: list[Truth], config: DetectionLoss) -> Tensor:
        there, offsets = joined(outputs[0::2], 1)[..., 0], joined(outputs[1::2], 4)
        boxes = np.concatenate([anchors(grid, s) for grid, s in zip(grids_of(outputs[0::2]), STRIDES, strict=True)])
        found = assign(objects, lambda _, truth: _match_anchors(boxes, truth))
        drawn, weights = _drawn(found, _ANCHORS, _ANCHORS_WITH_OBJECT)
        each = binary(there, paddle.to_tensor(found.filled(np.ones(len(found.images)))))
        total = (each * paddle.to_tensor(weights)).sum()
        if len(drawn.images):
            total = total + _box_term(at(offsets, drawn), boxes[drawn.places], drawn, config, knee=_KNEE)
        return total / max(1, int((weights > 0).sum()))

    def _second(self, outputs: tuple[Tensor, ...], objects: list[Truth], config: DetectionLoss) -> Tensor:
        proposals, (scores, offsets) = outputs[0].numpy(), outputs[1:]
        found = assign(objects, lambda image, truth: _match_proposals(proposals[image], truth))
        drawn, weights = _drawn(found, _BOXES, _BOXES_WITH_OBJECT)
        wanted = np.full(found.ignored.shape, self.classes, np.int64)
        wanted[found.images, found.places] = found.classes
        each = F.cross_entropy(scores, paddle.to_tensor(wanted[..., np.newaxis]), axis=-1, reduction="none")[..., 0]
        total = (each * paddle.to_tensor(weights)).sum()
        if len(drawn.images):
            kinds = F.one_hot(paddle.to_tensor(drawn.classes), self.classes).unsqueeze(-1)
            chosen = (at(offsets, drawn).reshape([-1, self.classes, 4]) * kinds).sum(1)
            here = proposals[drawn.images, drawn.places]
            total = total + _box_term(chosen, here, drawn, config, unit=VARIANCES)
        return total / max(1, int((weights > 0).sum()))


@lru_cache(maxsize=16)
def anchors(grid: tuple[int, int], stride: int) -> Array:
    """[H * W * A, 4] float32: the anchors of one level, in pixels of the input, cell by cell."""
    shapes = np.array([(_SIDE * stride / r**0.5, _SIDE * stride * r**0.5) for r in RATIOS], np.float32)
    centres = np.repeat((cells(*grid) + 0.5) * stride, len(RATIOS), axis=0)
    return np.asarray(corners(centres, np.tile(shapes / 2, (grid[0] * grid[1], 1))), np.float32)


def _match_anchors(boxes: Array, truth: Truth) -> Match:
    """Section 3.1.2: an object is learnt by the anchors that overlap it most, or by more than 0.7."""
    passed = lies_on(boxes, truth.passed_over)
    if not len(truth.boxes):
        return no_match(passed)
    likeness = overlaps(boxes, truth.boxes)
    ignored = passed | (likeness.max(axis=1) >= _UNLIKE)
    likeness[likeness.argmax(axis=0), np.arange(len(truth.boxes))] = 2
    places = np.flatnonzero(likeness.max(axis=1) >= _ALIKE)
    ignored[places] = False
    return Match(places, likeness[places].argmax(axis=1), ignored)


def _match_proposals(boxes: Array, truth: Truth) -> Match:
    ignored = lies_on(boxes, truth.passed_over)
    if not len(truth.boxes):
        return no_match(ignored)
    likeness = overlaps(boxes, truth.boxes)
    places = np.flatnonzero(likeness.max(axis=1) >= _HIT)
    ignored[places] = False
    return Match(places, likeness[places].argmax(axis=1), ignored)


def _drawn(found: Assignment, most: int, most_with_object: int) -> tuple[Assignment, Array]:
    """A random part of the places of each image: at most so many that learn an object, the others as background.

    Returns:
        The matches that were drawn, and how much each place counts, [N, K].
    """
    answering = found.filled(np.ones(len(found.images))) > 0
    chance = paddle.rand(list(answering.shape)).numpy()  # Paddle's generator: training seeds it for each epoch
    with_object = _first_of(np.where(answering, chance, np.inf), np.full(len(answering), most_with_object))
    without = _first_of(np.where(answering | found.ignored, np.inf, chance), most - with_object.sum(axis=1))
    kept = np.flatnonzero(with_object[found.images, found.places])
    drawn = found.take(kept)
    return drawn, drawn.filled(drawn.weights) + without


def _first_of(order: Array, counts: Array) -> Array:
    """[N, K] bool: the `counts` [N] least numbers of each row that are finite."""
    rank = np.argsort(np.argsort(order, axis=1), axis=1)
    return np.asarray((rank < counts[:, np.newaxis]) & np.isfinite(order))


def _box_term(
    chosen: Tensor,
    here: Array,
    found: Assignment,
    config: DetectionLoss,
    unit: Array | float = 1.0,
    knee: float = 1.0,
) -> Tensor:
    """The sum over the matches of smooth L1 losses of offsets, and of overlap losses if the user asks for them."""
    wanted = paddle.to_tensor((encoded(found.boxes, here) / unit).astype(np.float32))
    each = smooth_l1(chosen - wanted, knee).sum(1)
    if config.box != "own":
        guessed = decoded(chosen * paddle.to_tensor(unit), paddle.to_tensor(here))
        each = each + overlap_loss(guessed, paddle.to_tensor(found.boxes), config.box)
    return (each * paddle.to_tensor(found.weights)).sum()
