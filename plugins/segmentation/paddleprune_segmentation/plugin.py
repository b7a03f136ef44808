"""The hooks of the segmentation task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddleprune.hookspecs import hookimpl
from paddleprune.specs import Demo, FamilyInfo, ImageOptions, Split, TaskInfo
from paddleprune_segmentation.config import SegmentationData, SegmentationLoss
from paddleprune_segmentation.families import AUXILIARY, TASK, families
from paddleprune_segmentation.options import SegmenterOptions

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
            description="Which class does each pixel belong to?",
            dataset=SegmentationData,
            loss=SegmentationLoss,
        )
    ]


@hookimpl
def paddleprune_register_families() -> list[FamilyInfo]:
    """U-Net, Fast-SCNN, DeepLab v3+, HRNet, BiSeNet v2 and PP-LiteSeg."""
    return families()


@hookimpl
def paddleprune_build_model(family: str, options: SegmenterOptions) -> nn.Layer:
    """A family's network."""
    from paddleprune_segmentation.architectures import build

    return build(family, options)


@hookimpl
def paddleprune_list_prunable(graph: ChannelGraph) -> dict[str, str]:
    """Auxiliary heads stay whole: the metric doesn't see them, so no table says what they are worth."""
    return {
        group.name: "belongs to an auxiliary head, which the metric doesn't see"
        for group in graph.groups
        if group.name.partition(".")[0] == AUXILIARY
    }


@hookimpl
def paddleprune_build_dataset(config: SegmentationData, split: Split, options: ImageOptions) -> Dataset:
    """The images and masks of a split."""
    from paddleprune_segmentation.data.dataset import MaskDataset

    return MaskDataset(config, split, options)


@hookimpl
def paddleprune_build_loss(config: SegmentationLoss, options: ImageOptions, dataset: Dataset | None) -> Loss:
    """Cross entropy, Dice and bootstrapped cross entropy, mixed."""
    from paddleprune.vision.class_weights import class_weights
    from paddleprune_segmentation.losses import mixed

    return mixed(config, class_weights(config.class_weights, options.num_classes, dataset))


@hookimpl
def paddleprune_build_metric(labels: Sequence[str]) -> Metric:
    """Mean intersection over union, accuracy and kappa."""
    from paddleprune_segmentation.metrics import Overlap

    return Overlap(labels)


@hookimpl
def paddleprune_build_predictor(
    options: ImageOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]
) -> Predictor:
    """The class of every pixel of one image."""
    from paddleprune_segmentation.predictor import MaskPredictor

    return MaskPredictor(options, labels, transforms)


@hookimpl
def paddleprune_demo(directory: Path) -> Demo:
    """Handwritten digits on photographs."""
    from paddleprune_segmentation.demo import scenes_demo

    return scenes_demo(directory)
