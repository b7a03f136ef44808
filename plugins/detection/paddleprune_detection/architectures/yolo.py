"""YOLOv3, from Redmon & Farhadi, "YOLOv3: An Incremental Improvement" (2018), section 2.3, on any backbone."""

from __future__ import annotations

from collections.abc import Callable

import paddle
from paddle import Tensor, nn

from paddleprune.backbones import ConvNorm, scaled
from paddleprune_detection.architectures.layers import rare, resized
from paddleprune_detection.options import YOLO_LEVELS, YoloOptions

_SLOPE = 0.1
_NECK = (512, 256, 128)
"""Channels of the neck's maps, at strides 32, 16 and 8."""
_ANCHORS = 3
"""A level, where the user names none."""
_NUMBERS = 5


def yolo(backbone: Callable[..., nn.Layer], options: YoloOptions) -> nn.Layer:
    """The families `yolov3_*`."""
    return YoloV3(backbone(in_channels=options.input_channels, scale=options.scale), options)


class YoloV3(nn.Layer):
    """[N, C, H, W] -> three maps [N, A * (5 + classes), h, w], at strides 32, 16 and 8."""

    def __init__(self, backbone: nn.Layer, options: YoloOptions) -> None:
        super().__init__()
        self.backbone = backbone
        widths = [scaled(width, options.scale) for width in _NECK]
        anchors = len(options.anchors) // YOLO_LEVELS if options.anchors else _ANCHORS
        numbers = anchors * (_NUMBERS + options.num_classes)
        self.blocks, self.tips, self.outputs, self.routes = (nn.LayerList() for _ in range(4))
        extra = 0
        for inputs, width, finer in zip(backbone.channels[::-1], widths, [*widths[1:], 0], strict=False):
            self.blocks.append(_five(inputs + extra, width))
            self.tips.append(_conv(width, 2 * width, 3))
            self.outputs.append(rare(nn.Conv2D(2 * width, numbers, 1), anchors, [_NUMBERS - 1]))
            if finer:
                self.routes.append(_conv(width, finer, 1))
                extra = finer

    def forward(self, x: Tensor) -> list[Tensor]:
        """The outputs, before any sigmoid, coarsest first."""
        maps = self.backbone(x)[::-1]
        found: list[Tensor] = []
        route = None
        for level, block in enumerate(self.blocks):
            here = maps[level]
            if route is not None:
                here = paddle.concat([resized(self.routes[level - 1](route), here), here], axis=1)
            route = block(here)
            found.append(self.outputs[level](self.tips[level](route)))
        return found


def _five(inputs: int, width: int) -> nn.Layer:
    return nn.Sequential(
        _conv(inputs, width, 1),
        _conv(width, 2 * width, 3),
        _conv(2 * width, width, 1),
        _conv(width, 2 * width, 3),
        _conv(2 * width, width, 1),
    )


def _conv(inputs: int, outputs: int, kernel: int) -> ConvNorm:
    return ConvNorm(inputs, outputs, kernel, activation=nn.LeakyReLU(_SLOPE))
