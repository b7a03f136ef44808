"""The hooks of the classification task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddleprune.hookspecs import hookimpl
from paddleprune.specs import Demo, FamilyInfo, ImageOptions, Split, TaskInfo
from paddleprune_classification.config import ClassificationData, ClassificationLoss, ClassificationMetric
from paddleprune_classification.families import AUXILIARY_HEADS, TASK, families
from paddleprune_classification.options import ClassifierOptions

if TYPE_CHECKING:
    from paddle import nn

    from paddleprune.graph import ChannelGraph
    from paddleprune.interfaces import Dataset, Loss, Metric, Predictor


@hookimpl
def paddleprune_register_tasks() -> list[TaskInfo]:
    """The task."""
    return [
        TaskInfo(
            name=TASK,
            description="Which class does the whole image belong to?",
            dataset=ClassificationData,
            loss=ClassificationLoss,
            metric=ClassificationMetric,
        )
    ]


@hookimpl
def paddleprune_register_families() -> list[FamilyInfo]:
    """Every architecture of `paddle.vision.models`, and ResNet-vd, DarkNet53 and Xception."""
    return families()


@hookimpl
def paddleprune_build_model(family: str, options: ClassifierOptions) -> nn.Layer:
    """A family's network."""
    from paddleprune_classification.architectures import build

    return build(family, options)


@hookimpl
def paddleprune_list_prunable(family: str, graph: ChannelGraph) -> dict[str, str]:
    """Auxiliary heads stay whole: the metric doesn't see them, so no table says what they are worth."""
    names = AUXILIARY_HEADS.get(family, ())
    return {
        group.name: "belongs to an auxiliary head, which the metric doesn't see"
        for group in graph.groups
        if group.name.partition(".")[0] in names
    }


@hookimpl
def paddleprune_build_dataset(config: ClassificationData, split: Split, options: ImageOptions) -> Dataset:
    """The images of a split."""
    from paddleprune_classification.data.dataset import ImageDataset

    return ImageDataset(config, split, options)


@hookimpl
def paddleprune_build_loss(config: ClassificationLoss, options: ImageOptions, dataset: Dataset | None) -> Loss:
    """Cross entropy."""
    from paddleprune.vision.class_weights import class_weights
    from paddleprune_classification.losses import cross_entropy

    return cross_entropy(config, class_weights(config.class_weights, options.num_classes, dataset))


@hookimpl
def paddleprune_build_metric(config: ClassificationMetric, labels: Sequence[str]) -> Metric:
    """Top-1 and top-k accuracy."""
    from paddleprune_classification.metrics import TopK

    return TopK(config, labels)


@hookimpl
def paddleprune_build_predictor(
    options: ImageOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]
) -> Predictor:
    """Class names for one image."""
    from paddleprune_classification.predictor import ClassPredictor

    return ClassPredictor(options, labels, transforms)


@hookimpl
def paddleprune_demo(directory: Path) -> Demo:
    """Handwritten digits."""
    from paddleprune_classification.demo import digits_demo

    return digits_demo(directory)
