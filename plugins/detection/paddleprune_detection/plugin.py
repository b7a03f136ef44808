"""The hooks of the detection task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddleprune.hookspecs import hookimpl
from paddleprune.specs import Demo, FamilyInfo, Split, TaskInfo
from paddleprune_detection.config import DetectionData, DetectionLoss, DetectionMetricConfig
from paddleprune_detection.families import TASK, families
from paddleprune_detection.options import DetectorOptions

if TYPE_CHECKING:
    from paddle import nn

    from paddleprune.interfaces import Dataset, Loss, Metric, Predictor


@hookimpl
def paddleprune_register_tasks() -> list[TaskInfo]:
    """The task."""
    return [
        TaskInfo(
            name=TASK,
            description="Which objects are where?",
            dataset=DetectionData,
            loss=DetectionLoss,
            metric=DetectionMetricConfig,
        )
    ]


@hookimpl
def paddleprune_register_families() -> list[FamilyInfo]:
    """YOLOv3, SSD, FCOS, PP-YOLOE and Faster R-CNN."""
    return families()


@hookimpl
def paddleprune_build_model(family: str, options: DetectorOptions) -> nn.Layer:
    """A family's network, up to the raw outputs of its head."""
    from paddleprune_detection.architectures import build

    return build(family, options)


@hookimpl
def paddleprune_build_dataset(config: DetectionData, split: Split, options: DetectorOptions) -> Dataset:
    """The images and objects of a split."""
    from paddleprune_detection.data.dataset import ObjectDataset

    return ObjectDataset(config, split, options)


@hookimpl
def paddleprune_build_loss(config: DetectionLoss, options: DetectorOptions) -> Loss:
    """That of the family's head."""
    return partial(options.head().loss, config=config)


@hookimpl
def paddleprune_build_metric(config: DetectionMetricConfig, labels: Sequence[str], options: DetectorOptions) -> Metric:
    """Mean average precision of what the family's head decodes."""
    from paddleprune_detection.metrics import DetectionMetric

    return DetectionMetric(options.head().decode, labels, config)


@hookimpl
def paddleprune_build_predictor(
    options: DetectorOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]
) -> Predictor:
    """The objects on one image."""
    from paddleprune_detection.predictor import ObjectPredictor

    return ObjectPredictor(options, labels, transforms)


@hookimpl
def paddleprune_demo(directory: Path) -> Demo:
    """Handwritten digits on photographs."""
    from paddleprune_detection.demo import scenes_demo

    return scenes_demo(directory)
