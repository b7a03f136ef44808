"""Terms that several families' losses are made of."""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import Array
from paddleprune_detection.heads.truth import Assignment


def as_rows(maps: Tensor, numbers: int) -> Tensor:
    """[N, A * numbers, H, W] -> [N, H * W * A, numbers]: one row for each place, cell by cell."""
    count, channels, height, width = maps.shape
    parts = maps.reshape([count, channels // numbers, numbers, height, width])
    return parts.transpose([0, 3, 4, 1, 2]).flatten(1, 3)


def joined(maps: tuple[Tensor, ...], numbers: int) -> Tensor:
    """The rows of all levels, [N, K, numbers]."""
    return paddle.concat([as_rows(one, numbers) for one in maps], axis=1)


def at(rows: Tensor, found: Assignment) -> Tensor:
    """The rows that answer for objects: [N, K, numbers] -> [p, numbers]."""
    return rows.gather_nd(paddle.to_tensor(found.coordinates()))


def binary(logits: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross entropy of each number."""
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")


def one_hot(classes: Array, count: int) -> Tensor:
    """[p] -> [p, count], float32."""
    return F.one_hot(paddle.to_tensor(classes), count)


def focal(logits: Tensor, wanted: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """The focal loss of each number (Lin et al., "Focal Loss for Dense Object Detection", 2017, equation 5).

    Where `wanted` lies between 0 and 1 both sides count by their shares.
    """
    said = F.sigmoid(logits)
    balance = alpha * wanted + (1 - alpha) * (1 - wanted)
    return balance * (said - wanted).abs() ** gamma * binary(logits, wanted)
