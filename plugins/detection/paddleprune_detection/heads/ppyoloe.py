"""PP-YOLOE's head, from Xu et al., "PP-YOLOE: An Evolved Version of YOLO" (2022), section 2.2.

Objects are assigned as in Feng et al., "TOOD: Task-aligned One-stage Object Detection" (2021), section 3.2, from the
first step on; boxes are distributions of distances, as in Li et al., "Generalized Focal Loss" (2020), section 3.
"""

from __future__ import annotations

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import Array
from paddleprune_detection.config import DetectionLoss
from paddleprune_detection.heads.base import Candidates, Head, sigmoid
from paddleprune_detection.heads.boxes import lies_on, overlap_loss, overlaps
from paddleprune_detection.heads.points import around, chosen, distances, grids_of, points, together
from paddleprune_detection.heads.terms import at, binary, joined
from paddleprune_detection.heads.truth import Assignment, Match, Truth, assign, no_match, truths

STRIDES = (8, 16, 32)
FARTHEST = 16
"""Strides from a point to a side of its box, at most."""
_SCORE_POWER, _OVERLAP_POWER = 1.0, 6.0
"""TOOD's alpha and beta: what makes a point suit an object."""
_POINTS = 13
"""Points that learn an object, at most."""
_ALPHA, _GAMMA = 0.75, 2.0
"""Of the varifocal loss."""
_BOX, _DISTRIBUTION = 2.5, 0.5
"""Weights of the terms beside the classes' 1."""


class PpYoloeHead(Head):
    """Outputs, for each level, finest first: class scores [N, classes, H, W], before the sigmoid, and distributions.

    The distributions, [N, 4 * 17, H, W] before the softmax, are over 0, 1, ... 16 strides to the left, top, right and
    bottom.
    """

    def candidates(self, outputs: tuple[Array, ...]) -> Candidates:
        """Every class of every point whose score exceeds the threshold."""
        return together([self._on_level(*level) for level in zip(outputs[0::2], outputs[1::2], STRIDES, strict=True)])

    def _on_level(self, scores: Array, distributions: Array, stride: int) -> Candidates:
        def pixels(image: Array, row: Array, column: Array) -> Array:
            return _expected(distributions[image, :, row, column]) * np.float32(stride)

        return chosen(sigmoid(scores), stride, self.limits.score, pixels)

    def everything(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Every class of every point."""
        scores, distributions = joined(outputs[0::2], self.classes), joined(outputs[1::2], 4 * (FARTHEST + 1))
        middles, strides = map(paddle.to_tensor, points(grids_of(outputs[0::2]), STRIDES))
        shares = F.softmax(distributions.reshape([-1, distributions.shape[1], 4, FARTHEST + 1]))
        expected = (shares * paddle.arange(FARTHEST + 1, dtype="float32")).sum(-1)
        return around(middles, expected * strides), F.sigmoid(scores).transpose([0, 2, 1])

    def loss(self, outputs: tuple[Tensor, ...], targets: dict[str, Tensor], config: DetectionLoss) -> Tensor:
        """Varifocal loss of the classes, overlap loss (GIoU) and distribution focal loss of the boxes.

        Each is summed over the batch, in which each point counts by how well it suits its object, and divided by the
        sum of that.
        """
        scores = joined(outputs[0::2], self.classes)
        distributions = joined(outputs[1::2], 4 * (FARTHEST + 1))
        middles, strides = points(grids_of(outputs[0::2]), STRIDES)
        said = around(middles, _expected(distributions.detach().numpy()) * strides)
        likely = sigmoid(scores.detach().numpy())
        objects = truths(targets, config)
        found = assign(objects, lambda image, truth: match(likely[image], said[image], middles, strides, truth))
        total = (_varifocal(scores, found).sum(-1) * paddle.to_tensor((~found.ignored).astype(np.float32))).sum()
        if len(found.images):
            here, stride = middles[found.places], strides[found.places]
            logits = at(distributions, found).reshape([-1, 4, FARTHEST + 1])
            steps = paddle.arange(FARTHEST + 1, dtype="float32")
            guessed = around(paddle.to_tensor(here), (F.softmax(logits) * steps).sum(-1) * paddle.to_tensor(stride))
            boxes = overlap_loss(guessed, paddle.to_tensor(found.boxes), config.box)
            wanted = np.concatenate([here - found.boxes[:, :2], found.boxes[:, 2:] - here], axis=1) / stride
            each = _BOX * boxes + _DISTRIBUTION * _distribution_loss(logits, wanted)
            total = total + (each * paddle.to_tensor(found.weights)).sum()
        return total / max(1.0, float(found.weights.sum()))


def match(likely: Array, said: Array, middles: Array, strides: Array, truth: Truth) -> Match:
    """Each object is learnt by the points in it that suit it best; a point that suits several learns the nearest.

    Args:
        likely: [K, classes]: probabilities.
        said: [K, 4]: boxes.
        middles: [K, 2]: the points.
        strides: [K, 1]: of their levels.
        truth: the objects.

    Returns:
        The matches; each counts by how well it suits, at most by the best overlap with the object.
    """
    ignored = lies_on(np.concatenate([middles - strides / 2, middles + strides / 2], axis=1), truth.passed_over)
    if not len(truth.boxes):
        return no_match(ignored)
    nearness = overlaps(said, truth.boxes).astype(np.float64)  # its sixth power vanishes in float32
    suits = likely[:, truth.classes] ** _SCORE_POWER * nearness**_OVERLAP_POWER
    within = distances(middles, truth.boxes).min(axis=-1) > 0
    order = np.argsort(np.where(within, -suits, np.inf), axis=0, kind="stable")[:_POINTS]
    asked = np.zeros(within.shape, np.bool_)
    np.put_along_axis(asked, order, True, axis=0)
    asked &= within
    places = np.flatnonzero(asked.any(axis=1))
    objects = np.where(asked[places], nearness[places], -1).argmax(axis=1)
    taken = np.zeros(within.shape, np.bool_)
    taken[places, objects] = True
    best = np.where(taken, suits, 0).max(axis=0)
    nearest = np.where(taken, nearness, 0).max(axis=0)
    shares = suits[places, objects] / np.where(best > 0, best, 1)[objects] * nearest[objects]
    ignored[places] = False
    return Match(places, objects, ignored, shares)


def _expected(distributions: Array) -> Array:
    """The mean of each distribution: [..., 4 * 17] -> [..., 4], in strides."""
    numbers = distributions.reshape(*distributions.shape[:-1], 4, FARTHEST + 1)
    shares = np.exp(numbers - numbers.max(axis=-1, keepdims=True))
    return np.asarray(shares @ np.arange(FARTHEST + 1, dtype=np.float32) / shares.sum(axis=-1))


def _varifocal(scores: Tensor, found: Assignment) -> Tensor:
    """[N, K, classes]: as Zhang et al., "VarifocalNet" (2021), equation 2."""
    wanted = np.zeros(tuple(scores.shape), np.float32)
    wanted[found.images, found.places, found.classes] = found.weights
    goal = paddle.to_tensor(wanted)
    weights = paddle.where(goal > 0, goal, _ALPHA * F.sigmoid(scores.detach()) ** _GAMMA)
    return binary(scores, goal) * weights


def _distribution_loss(logits: Tensor, wanted: Array) -> Tensor:
    """[p]: the cross entropy of the two steps around each distance [p, 4], by nearness; the mean of the sides."""
    bounded = np.clip(wanted, 0, FARTHEST - 0.01)
    below = bounded.astype(np.int64)
    above = paddle.to_tensor((bounded - below).astype(np.float32))
    flat = logits.reshape([-1, FARTHEST + 1])
    low, high = (
        F.cross_entropy(flat, paddle.to_tensor(step.reshape(-1)), reduction="none").reshape([-1, 4])
        for step in (below, below + 1)
    )
    return (low * (1 - above) + high * above).mean(1)
