"""What training minimises."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import Tensor
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import Array, Dataset, Distillation, Loss
from paddleprune.specs import ImageOptions
from paddleprune.vision.class_weights import class_weights
from paddleprune.vision.values import IGNORED
from paddleprune_segmentation.config import SegmentationLoss


def weighted_mixture(config: SegmentationLoss, options: ImageOptions, dataset: Dataset | None) -> Loss:
    """Cross entropy, Dice and bootstrapped cross entropy, in which each class counts as the user says."""
    return mixed(config, class_weights(config.class_weights, options.num_classes, dataset))


def mixed(config: SegmentationLoss, weights: Array | None = None) -> Loss:
    """The weighted sum of the losses of the first output, plus `aux_weight` times that of every other one.

    Outputs are class scores before softmax, [N, classes, H, W]; targets are class numbers, [N, H, W], 255 where a
    pixel is ignored. Of a batch in which all are ignored every loss is 0. With `weights` [classes], what each class
    counts, the cross entropies are weighted.
    """
    weight = None if weights is None else paddle.to_tensor(weights)

    def loss(outputs: tuple[Tensor, ...], targets: Any) -> Tensor:
        numbers = targets.astype("int64")
        main, *auxiliary = (_one(config, scores, numbers, weight) for scores in outputs)
        return main + config.aux_weight * sum(auxiliary) if auxiliary else main

    return loss


def _one(config: SegmentationLoss, scores: Tensor, numbers: Tensor, weight: Tensor | None) -> Tensor:
    total = paddle.zeros([])
    if config.cross_entropy or config.bootstrapped:
        pixels = _cross_entropies(scores, numbers, weight)
        if config.cross_entropy:
            total = total + config.cross_entropy * pixels.mean()
        if config.bootstrapped:
            total = total + config.bootstrapped * hardest(pixels, config.hardest)
    if config.dice:
        total = total + config.dice * dice(scores, numbers)
    return total


def _cross_entropies(scores: Tensor, numbers: Tensor, weight: Tensor | None) -> Tensor:
    """That of each pixel that isn't ignored; a single 0 where all are. Weights have a mean of 1 over the pixels."""
    counted = (numbers != IGNORED).flatten()
    each = F.cross_entropy(scores, numbers.unsqueeze(1), axis=1, ignore_index=IGNORED, reduction="none").flatten()
    if not bool(counted.any()):
        return 0 * scores.sum().reshape([1])
    if weight is None:
        return each[counted]
    counts = paddle.gather(weight, numbers.flatten()[counted])
    return each[counted] * counts / counts.mean().clip(min=1e-12)


def hardest(pixels: Tensor, share: float) -> Tensor:
    """The mean over the share of the pixels whose loss is greatest.

    Wu et al., "Bridging Category-level and Instance-level Semantic Image Segmentation" (2016), section 3.
    """
    return paddle.topk(pixels, max(1, round(share * pixels.shape[0])))[0].mean()


def dice(scores: Tensor, numbers: Tensor) -> Tensor:
    """1 minus the Dice coefficient of the probabilities, the mean over the classes that occur in the batch.

    Milletari et al., "V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image Segmentation" (2016),
    section 3, with plain sums below the line.
    """
    classes = scores.shape[1]
    counted = (numbers != IGNORED).unsqueeze(1).astype(scores.dtype)
    there = F.one_hot(paddle.where(numbers == IGNORED, paddle.zeros_like(numbers), numbers), classes)
    there = there.transpose([0, 3, 1, 2]).astype(scores.dtype) * counted
    said = F.softmax(scores, axis=1) * counted
    both, total = ((part).sum([0, 2, 3]) for part in (there * said, there + said))
    occurs = (there.sum([0, 2, 3]) > 0).astype(scores.dtype)
    missed = occurs * (1 - 2 * both / total.clip(min=1e-6))
    return missed.sum() / occurs.sum().clip(min=1)


def by_pixel() -> Distillation:
    """The divergence of the teacher's classes from the model's, of each pixel: the mean.

    Of the first output, class scores [N, classes, H, W]. Liu et al., "Structured Knowledge Distillation for Semantic
    Segmentation" (2019), equation 1.
    """

    def term(outputs: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> Tensor:
        said, goal = (F.log_softmax(scores[0], axis=1) for scores in (outputs, wanted))
        return (goal.exp() * (goal - said)).sum(axis=1).mean()

    return term
