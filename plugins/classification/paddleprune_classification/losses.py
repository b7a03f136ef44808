"""What training minimises."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import Tensor
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import Array, Dataset, Loss
from paddleprune.specs import ImageOptions
from paddleprune.vision.class_weights import class_weights
from paddleprune_classification.config import ClassificationLoss


def weighted_cross_entropy(config: ClassificationLoss, options: ImageOptions, dataset: Dataset | None) -> Loss:
    """Cross entropy, in which each class counts as the user says."""
    return cross_entropy(config, class_weights(config.class_weights, options.num_classes, dataset))


def cross_entropy(config: ClassificationLoss, weights: Array | None = None) -> Loss:
    """Cross entropy of the first output, plus `aux_weight` times that of every other one (auxiliary heads).

    Outputs are class scores before softmax, [N, classes]; targets are class numbers, [N], int64. The mean is
    taken over the batch; with `weights` [classes], what each class counts, it is the weighted one.
    """
    weight = None if weights is None else paddle.to_tensor(weights)

    def loss(outputs: tuple[Tensor, ...], targets: Any) -> Tensor:
        main, *auxiliary = (
            F.cross_entropy(scores, targets, weight, label_smoothing=config.label_smoothing) for scores in outputs
        )
        return main + config.aux_weight * sum(auxiliary) if auxiliary else main

    return loss
