"""Feature extractors that Paddle lacks: plain layers that yield feature maps at several strides.

Each has `channels` and `strides`, one entry per feature map that its forward returns, finest first. No forward
names a channel count, so the layers go on working when channels are removed from them.
"""

from paddleprune.backbones.darknet import DarkNet53 as DarkNet53
from paddleprune.backbones.resnet_vd import ResNetVd as ResNetVd
from paddleprune.backbones.xception import Xception as Xception
