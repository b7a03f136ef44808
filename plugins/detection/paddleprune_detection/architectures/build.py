"""The table of builders, one for each family of `paddleprune_detection.families`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from paddle import nn

from paddleprune.backbones import DarkNet53, MobileNetV3Large
from paddleprune_detection.architectures.backbones import MobileNetV1Features, ResNet
from paddleprune_detection.architectures.faster_rcnn import faster_rcnn
from paddleprune_detection.architectures.fcos import fcos
from paddleprune_detection.architectures.ppyoloe import ppyoloe
from paddleprune_detection.architectures.ssd import ssd
from paddleprune_detection.architectures.yolo import yolo
from paddleprune_detection.options import DetectorOptions


def build(family: str, options: DetectorOptions) -> nn.Layer:
    """A freshly initialised model: [N, C, H, W] -> what the head of its options reads."""
    return _BUILDERS[family](options)


_BUILDERS: dict[str, Callable[..., nn.Layer]] = {
    "yolov3_darknet53": partial(yolo, DarkNet53),
    "yolov3_resnet34": partial(yolo, partial(ResNet, 34)),
    "yolov3_mobilenet_v1": partial(yolo, MobileNetV1Features),
    "yolov3_mobilenet_v3_large": partial(yolo, MobileNetV3Large),
    "ssd_mobilenet_v1": partial(ssd, MobileNetV1Features),
    **{f"fcos_resnet{depth}": partial(fcos, partial(ResNet, depth)) for depth in (18, 34, 50)},
    "ppyoloe_s": ppyoloe,
    **{f"faster_rcnn_resnet{depth}_fpn": partial(faster_rcnn, partial(ResNet, depth)) for depth in (18, 34, 50)},
}
