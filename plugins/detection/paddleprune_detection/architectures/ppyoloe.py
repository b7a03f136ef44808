"""PP-YOLOE-s, from Xu et al., "PP-YOLOE: An Evolved Version of YOLO" (2022), section 2.2.

The two branches of its residual blocks aren't merged into one convolution for inference.
"""

from __future__ import annotations

from itertools import pairwise

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F  # noqa: N812

from paddleprune.backbones import ConvNorm, scaled
from paddleprune_detection.architectures.layers import rare, resized
from paddleprune_detection.heads.ppyoloe import FARTHEST
from paddleprune_detection.options import PpYoloeOptions

_CHANNELS = (32, 64, 128, 256, 512)
_BLOCKS = (1, 2, 2, 1)
_NECK = (384, 192, 96)
"""Channels of the neck's maps, at strides 32, 16 and 8."""
_POOLS = (5, 9, 13)


def ppyoloe(options: PpYoloeOptions) -> nn.Layer:
    """The family `ppyoloe_s`."""
    return PpYoloe(options)


class PpYoloe(nn.Layer):
    """[N, C, H, W] -> at strides 8, 16 and 32 scores [N, classes, h, w] and distributions [N, 4 * 17, h, w]."""

    def __init__(self, options: PpYoloeOptions) -> None:
        super().__init__()
        channels = [scaled(width, options.scale) for width in _CHANNELS]
        neck = [scaled(width, options.scale) for width in _NECK]
        self.backbone = CspRepResNet(options.input_channels, channels)
        self.neck = CspPan(channels[-3:], neck)
        self.heads = nn.LayerList([_AlignedHead(width, options.num_classes) for width in neck[::-1]])

    def forward(self, x: Tensor) -> list[Tensor]:
        """The outputs, finest level first."""
        found: list[Tensor] = []
        for level, here in enumerate(self.neck(self.backbone(x))):
            found += self.heads[level](here)
        return found


class CspRepResNet(nn.Layer):
    """[N, C, H, W] -> three feature maps, at strides 8, 16 and 32."""

    def __init__(self, in_channels: int, channels: list[int]) -> None:
        super().__init__()
        stem = scaled(channels[0], 0.5)
        self.stem = nn.Sequential(
            _conv(in_channels, stem, 3, stride=2), _conv(stem, stem, 3), _conv(stem, channels[0], 3)
        )
        self.stages = nn.LayerList()
        for (inputs, outputs), blocks in zip(pairwise(channels), _BLOCKS, strict=True):
            middle = scaled(inputs + outputs, 0.5)
            down = _conv(inputs, middle, 3, stride=2)
            self.stages.append(nn.Sequential(down, _Csp(middle, outputs, blocks, residual=True, attention=True)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """The feature maps, finest first."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[-3:]


class CspPan(nn.Layer):
    """Three maps, finest first -> three maps in which the coarse ones' meaning has gone down and the fine ones' up."""

    def __init__(self, channels: list[int], widths: list[int]) -> None:
        super().__init__()
        self.down, self.routes = nn.LayerList(), nn.LayerList()
        route = 0
        for level, (inputs, width) in enumerate(zip(channels[::-1], widths, strict=True)):
            self.down.append(_Csp(inputs + route, width, 1, pools=_POOLS if level == 0 else ()))
            if level < len(widths) - 1:
                route = scaled(width, 0.5)
                self.routes.append(_conv(width, route, 1))
        self.halves, self.up = nn.LayerList(), nn.LayerList()
        for coarse, fine in zip(widths[-2::-1], widths[:0:-1], strict=True):
            self.halves.append(_conv(fine, fine, 3, stride=2))
            self.up.append(_Csp(coarse + fine, coarse, 1))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """The maps, finest first."""
        inner: list[Tensor] = []
        for level, block in enumerate(self.down):
            here = maps[len(maps) - 1 - level]
            if level > 0:
                here = paddle.concat([resized(self.routes[level - 1](inner[0]), here), here], axis=1)
            inner.insert(0, block(here))
        found = [inner[0]]
        for level, block in enumerate(self.up):
            found.append(block(paddle.concat([self.halves[level](found[-1]), inner[level + 1]], axis=1)))
        return found


class _Csp(nn.Layer):
    """Half of the channels through residual blocks, the other half past them: a cross-stage partial stage."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        blocks: int,
        residual: bool = False,
        attention: bool = False,
        pools: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        half = scaled(inputs if attention else outputs, 0.5)
        self.past, self.through = _conv(inputs, half, 1), _conv(inputs, half, 1)
        layers: list[nn.Layer] = [_RepBlock(half, residual) for _ in range(blocks)]
        self.blocks = nn.Sequential(*layers, *([_PyramidPooling(half, pools)] if pools else []))
        self.attention = _ChannelAttention(2 * half) if attention else nn.Identity()
        self.join = _conv(2 * half, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.attention(paddle.concat([self.past(x), self.blocks(self.through(x))], axis=1)))


class _RepBlock(nn.Layer):
    """A 3x3 convolution, then a 3x3 and a 1x1 convolution side by side; beside a shortcut if `residual`."""

    def __init__(self, channels: int, residual: bool) -> None:
        super().__init__()
        self.first = _conv(channels, channels, 3)
        self.large, self.small = ConvNorm(channels, channels, 3), ConvNorm(channels, channels, 1)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        y = F.silu(self.large(y) + self.small(y))
        return x + y if self.residual else y


class _PyramidPooling(nn.Layer):
    """The largest values around, within several windows, beside the map itself (He et al., 2014)."""

    def __init__(self, channels: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.pools = nn.LayerList([nn.MaxPool2D(size, 1, size // 2) for size in sizes])
        self.join = _conv(channels * (1 + len(sizes)), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(paddle.concat([x, *[pool(x) for pool in self.pools]], axis=1))


class _ChannelAttention(nn.Layer):
    """A factor for each channel, from the means of all (Lee & Park, "CenterMask", 2020, section 3.3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2D(1), nn.Conv2D(channels, channels, 1), nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class _AlignedHead(nn.Layer):
    """The efficient task-aligned head of one level: attention of its own for classes and for distances."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.kinds, self.places = _TaskAttention(width), _TaskAttention(width)
        self.scores = rare(nn.Conv2D(width, num_classes, 3, padding=1), 1, range(num_classes))
        self.distributions = nn.Conv2D(width, 4 * (FARTHEST + 1), 3, padding=1)

    def forward(self, x: Tensor) -> list[Tensor]:
        mean = F.adaptive_avg_pool2d(x, 1)
        return [self.scores(self.kinds(x, mean) + x), self.distributions(self.places(x, mean))]


class _TaskAttention(nn.Layer):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Conv2D(width, width, 1), nn.Sigmoid())
        self.join = _conv(width, width, 1)

    def forward(self, x: Tensor, mean: Tensor) -> Tensor:
        return self.join(x * self.gate(mean))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> ConvNorm:
    return ConvNorm(inputs, outputs, kernel, stride, activation=nn.Silu())
