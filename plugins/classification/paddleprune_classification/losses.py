"""What training minimises."""

from __future__ import annotations

from typing import Any

from paddle import Tensor
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import Loss
from paddleprune_classification.config import ClassificationLoss


def cross_entropy(config: ClassificationLoss) -> Loss:
    """Cross entropy of the first output, plus `aux_weight` times that of every other one (auxiliary heads).

    Outputs are class scores before softmax, [N, classes]; targets are class numbers, [N], int64. The mean is
    taken over the batch.
    """

    def loss(outputs: tuple[Tensor, ...], targets: Any) -> Tensor:
        main, *auxiliary = (
            F.cross_entropy(scores, targets, label_smoothing=config.label_smoothing) for scores in outputs
        )
        return main + config.aux_weight * sum(auxiliary) if auxiliary else main

    return loss
