"""The table of builders, one for each family of `paddleprune_segmentation.families`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from paddle import nn

from paddleprune.backbones import MobileNetV2, MobileNetV3Large, ResNetVd, Xception
from paddleprune_segmentation.architectures.bisenet import bisenet_v2
from paddleprune_segmentation.architectures.deeplab import deeplab
from paddleprune_segmentation.architectures.fast_scnn import fast_scnn
from paddleprune_segmentation.architectures.hrnet import hrnet
from paddleprune_segmentation.architectures.liteseg import pp_liteseg
from paddleprune_segmentation.architectures.unet import unet
from paddleprune_segmentation.families import HRNET_WIDTHS
from paddleprune_segmentation.options import SegmenterOptions


def build(family: str, options: SegmenterOptions) -> nn.Layer:
    """A freshly initialised model: [N, C, H, W] -> [N, num_classes, H, W]; with auxiliary heads a list in training."""
    return _BUILDERS[family](options)


_BUILDERS: dict[str, Callable[..., nn.Layer]] = {
    "unet": unet,
    "fast_scnn": fast_scnn,
    "deeplabv3p_mobilenet_v2": partial(deeplab, MobileNetV2),
    "deeplabv3p_mobilenet_v3_large": partial(deeplab, MobileNetV3Large),
    "deeplabv3p_resnet50_vd": partial(deeplab, partial(ResNetVd, 50)),
    **{f"deeplabv3p_xception{depth}": partial(deeplab, partial(Xception, depth)) for depth in (41, 65)},
    **{f"hrnet_w{width}": partial(hrnet, width) for width in HRNET_WIDTHS},
    "bisenetv2": bisenet_v2,
    "pp_liteseg": pp_liteseg,
}
