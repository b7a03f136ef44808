"""Which head reads the outputs of which family, and the loss and the metric that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, singledispatch
from typing import TYPE_CHECKING

from paddleprune.errors import ConfigError, PluginError
from paddleprune_detection import options as o
from paddleprune_detection.config import DetectionLoss, DetectionMetricConfig

if TYPE_CHECKING:
    from paddleprune.interfaces import Distillation, Loss, Metric
    from paddleprune_detection.heads import Head, Limits


@singledispatch
def head_of(options: o.DetectorOptions) -> Head:
    """What reads the outputs of a family with such options.

    A third party's plugin says it of its own with `head_of.register`, and imports the head inside of that function.

    Raises:
        PluginError: nobody said it.
    """
    raise PluginError(f"no head reads what {type(options).__name__} are for; its plugin must tell head_of.register")


@head_of.register(o.YoloOptions)
def _(options: o.YoloOptions) -> Head:
    from paddleprune_detection.heads.yolo import YoloHead

    return YoloHead(
        options.num_classes, limits_of(options), options.input_size, options.anchors, options.ignore_threshold
    )


@head_of.register(o.SsdOptions)
def _(options: o.SsdOptions) -> Head:
    from paddleprune_detection.heads.ssd import SsdHead

    sides = options.smallest, options.largest
    return SsdHead(options.num_classes, limits_of(options), options.input_size, sides)


@head_of.register(o.FcosOptions)
def _(options: o.FcosOptions) -> Head:
    from paddleprune_detection.heads.fcos import FcosHead

    return FcosHead(options.num_classes, limits_of(options))


@head_of.register(o.PpYoloeOptions)
def _(options: o.PpYoloeOptions) -> Head:
    from paddleprune_detection.heads.ppyoloe import PpYoloeHead

    return PpYoloeHead(options.num_classes, limits_of(options))


@head_of.register(o.FasterRcnnOptions)
def _(options: o.FasterRcnnOptions) -> Head:
    from paddleprune_detection.heads.two_stage import TwoStageHead

    return TwoStageHead(options.num_classes, limits_of(options))


def limits_of(options: o.DetectorOptions) -> Limits:
    """What the user wants reported."""
    from paddleprune_detection.heads import Limits

    return Limits(options.score_threshold, options.nms_threshold, options.max_objects)


def loss(config: DetectionLoss, options: o.DetectorOptions) -> Loss:
    """That of the family's head."""
    return partial(head_of(options).loss, config=config)


def metric(config: DetectionMetricConfig, labels: Sequence[str], options: o.DetectorOptions) -> Metric:
    """Mean average precision of what the family's head decodes."""
    from paddleprune_detection.metrics import DetectionMetric

    return DetectionMetric(head_of(options).decode, labels, config)


def distillation(options: o.DetectorOptions) -> Distillation:
    """The teacher's boxes and scores, as the family's head reads both networks.

    Raises:
        ConfigError: the family's boxes start from proposals of its own.
    """
    if isinstance(options, o.FasterRcnnOptions):
        raise ConfigError("a Faster R-CNN has proposals of its own, not its teacher's; let the layers teach: distill=0")
    from paddleprune_detection.heads.distillation import boxes_and_scores

    return partial(boxes_and_scores, head_of(options))
