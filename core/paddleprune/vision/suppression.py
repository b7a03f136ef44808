"""Suppression of boxes that overlap a better one, as an operation in a network."""

from __future__ import annotations

import math

import paddle
from paddle import Tensor, nn

from paddleprune.paddle_private.programs import OPERATIONS
from paddleprune.vision.objects import MOST

_NO_BACKGROUND = -1
_ANY = -1


class Candidates(nn.Layer):
    """Boxes [N, K, 4] and scores [N, classes, K] -> the same, where all but the best `MOST` scores are 0."""

    def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The boxes, and the scores that count."""
        count = min(MOST, math.prod(scores.shape[1:]))
        least = paddle.topk(scores.flatten(1), count)[0][:, -1:].unsqueeze(-1)
        return boxes, paddle.where(scores >= least, scores, paddle.zeros_like(scores))


class Suppression(nn.Layer):
    """Boxes [N, K, 4] and scores [N, classes, K] -> objects, and how many each image has, [N] int32.

    Objects are those of all images, [M, 6]: class, score, left, top, right, bottom; those of a class are the best
    first.

    Args:
        score: objects with a lower one aren't reported.
        overlap: of two objects of a class that overlap more (intersection over union), the better one is.
        objects: of an image, at most.
    """

    def __init__(self, score: float, overlap: float, objects: int) -> None:
        super().__init__()
        self.score, self.overlap, self.objects = score, overlap, objects
        self.candidates = Candidates()

    def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The objects, and their numbers."""
        boxes, scores = self.candidates(boxes, scores)
        objects, _, counts = OPERATIONS.multiclass_nms3(
            boxes, scores, None, self.score, _ANY, self.objects, self.overlap, True, 1.0, _NO_BACKGROUND
        )
        return objects, counts
