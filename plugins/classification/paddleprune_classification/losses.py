"""What training minimises."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import Tensor
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import Array, Dataset, Distillation, Loss
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


_TEMPERATURE = 4.0


def softened() -> Distillation:
    """The divergence of the teacher's classes, softened, from the model's (Hinton et al., 2015, section 2).

    Of the first output, class scores [N, classes]; the mean over the batch, times the temperature squared.
    """

    def term(outputs: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> Tensor:
        said, goal = (F.log_softmax(scores[0] / _TEMPERATURE, axis=1) for scores in (outputs, wanted))
        return _TEMPERATURE**2 * (goal.exp() * (goal - said)).sum(axis=1).mean()

    return term
