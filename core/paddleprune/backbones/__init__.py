"""Feature extractors that Paddle lacks: plain layers that yield feature maps at several strides.

Each has `channels` and `strides`, one entry per feature map that its forward returns, finest first. No forward
names a channel count, so the layers go on working when channels are removed from them. `ConvNorm`, `Separable` and
`scaled` are what they are made of.
"""

from paddleprune.backbones.blocks import ConvNorm as ConvNorm
from paddleprune.backbones.blocks import Separable as Separable
from paddleprune.backbones.blocks import scaled as scaled
from paddleprune.backbones.darknet import DarkNet53 as DarkNet53
from paddleprune.backbones.mobilenet_v2 import MobileNetV2 as MobileNetV2
from paddleprune.backbones.mobilenet_v3 import MobileNetV3Large as MobileNetV3Large
from paddleprune.backbones.resnet_vd import ResNetVd as ResNetVd
from paddleprune.backbones.xception import Xception as Xception
