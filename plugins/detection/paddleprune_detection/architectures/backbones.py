"""The networks of `paddle.vision.models` as backbones: they yield feature maps, and may be thinner."""

from __future__ import annotations

from itertools import pairwise

from paddle import Tensor, nn
from paddle.vision.models import MobileNetV1
from paddle.vision.models.resnet import BasicBlock, BottleneckBlock
from paddle.vision.ops import ConvNormActivation

from paddleprune.backbones import scaled

_RESNETS = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (BottleneckBlock, (3, 4, 6, 3)),
}
_WIDTHS = (64, 64, 128, 256, 512)
"""Of ResNet: the stem, then inside each stage's blocks."""
_YIELDED = (2, 4, 10, 12)
"""MobileNet v1's last blocks at strides 4, 8, 16 and 32."""
_MOBILENET = (128, 256, 512, 1024)
_STEM = 32


class ResNet(nn.Layer):
    """[N, in_channels, H, W] -> four feature maps, at strides 4, 8, 16 and 32, of Paddle's residual blocks.

    At `scale` 1 they have 64, 128, 256 and 512 channels (depth 18 and 34), or four times as many (50), and the layers
    have the names of `paddle.vision.models.ResNet`.
    """

    strides = (4, 8, 16, 32)

    def __init__(self, depth: int, in_channels: int, scale: float) -> None:
        super().__init__()
        block, repeats = _RESNETS[depth]
        stem, *widths = (scaled(width, scale) for width in _WIDTHS)
        self.channels = tuple(width * block.expansion for width in widths)
        self.conv1 = nn.Conv2D(in_channels, stem, 7, 2, 3, bias_attr=False)
        self.bn1 = nn.BatchNorm2D(stem)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2D(3, 2, 1)
        outputs = pairwise((stem, *self.channels))
        for number, ((before, after), width, count) in enumerate(zip(outputs, widths, repeats, strict=True)):
            stride = 1 if number == 0 else 2
            first = block(before, width, stride, _shortcut(before, after, stride))
            rest = [block(after, width) for _ in range(1, count)]
            self.add_sublayer(f"layer{number + 1}", nn.Sequential(first, *rest))

    def forward(self, x: Tensor) -> list[Tensor]:
        """The feature maps, finest first."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return maps


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Layer | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2D(inputs, outputs, 1, stride, bias_attr=False), nn.BatchNorm2D(outputs))


class MobileNetV1Features(nn.Layer):
    """[N, in_channels, H, W] -> four feature maps, at strides 4, 8, 16 and 32.

    At `scale` 1 they have 128, 256, 512 and 1024 channels.
    """

    strides = (4, 8, 16, 32)

    def __init__(self, in_channels: int, scale: float) -> None:
        super().__init__()
        self.network = MobileNetV1(scale, num_classes=0, with_pool=False)
        self.channels = tuple(int(width * scale) for width in _MOBILENET)
        if in_channels != 3:
            self.network.conv1 = ConvNormActivation(in_channels, int(_STEM * scale), 3, 2, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The feature maps, finest first."""
        x = self.network.conv1(x)
        maps = []
        for number, block in enumerate(self.network.dwsl):
            x = block(x)
            if number in _YIELDED:
                maps.append(x)
        return maps
