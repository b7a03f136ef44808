"""Suppression of boxes that overlap a better one, as an operation in a network."""

from __future__ import annotations

import math

import paddle
from paddle import Tensor, nn

from paddleprune.paddle_private.programs import OPERATIONS
from paddleprune_detection.heads.base import MOST, Limits

_NO_BACKGROUND = -1
_ANY = -1


class Suppression(nn.Layer):
    """Boxes [N, K, 4] and scores [N, classes, K] -> objects, and how many each image has, [N] int32.

    Objects are those of all images, [M, 6]: class, score, left, top, right, bottom; those of a class are the best
    first. They are what `suppressed` finds, but for ties.

    Args:
        limits: what is reported.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits

    def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The objects, and their numbers."""
        count = min(MOST, math.prod(scores.shape[1:]))
        least = paddle.topk(scores.flatten(1), count)[0][:, -1:].unsqueeze(-1)
        kept = paddle.where(scores >= least, scores, paddle.zeros_like(scores))
        limits = self._limits
        objects, _, counts = OPERATIONS.multiclass_nms3(
            boxes, kept, None, limits.score, _ANY, limits.objects, limits.overlap, True, 1.0, _NO_BACKGROUND
        )
        return objects, counts
