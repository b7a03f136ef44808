"""MobileNet v3 large, from Howard et al., "Searching for MobileNetV3" (2019), table 1."""

from __future__ import annotations

from itertools import accumulate
from operator import mul

from paddle import Tensor, nn

from paddleprune.backbones.blocks import ConvNorm, dilated, scaled

_STEM = 16
_STEM_STRIDE = 2
_BLOCKS: tuple[tuple[int, int, int, bool, type[nn.Layer], int], ...] = (
    (3, 16, 16, False, nn.ReLU, 1),
    (3, 64, 24, False, nn.ReLU, 2),
    (3, 72, 24, False, nn.ReLU, 1),
    (5, 72, 40, True, nn.ReLU, 2),
    (5, 120, 40, True, nn.ReLU, 1),
    (5, 120, 40, True, nn.ReLU, 1),
    (3, 240, 80, False, nn.Hardswish, 2),
    (3, 200, 80, False, nn.Hardswish, 1),
    (3, 184, 80, False, nn.Hardswish, 1),
    (3, 184, 80, False, nn.Hardswish, 1),
    (3, 480, 112, True, nn.Hardswish, 1),
    (3, 672, 112, True, nn.Hardswish, 1),
    (5, 672, 160, True, nn.Hardswish, 2),
    (5, 960, 160, True, nn.Hardswish, 1),
    (5, 960, 160, True, nn.Hardswish, 1),
)
"""Kernel, width inside, channels, squeeze-and-excitation, activation, stride."""
_YIELDED = (2, 5, 11)
"""The last blocks at strides 4, 8 and 16; the last map is that of the convolution after all blocks."""
_LAST = 960
_SQUEEZE = 4


class MobileNetV3Large(nn.Layer):
    """[N, in_channels, H, W] -> four feature maps, at strides 4, 8, 16 and 32.

    At `scale` 1 they have 24, 40, 112 and 960 channels. With an `output_stride` of 8 or 16 no map is coarser than
    that: blocks are dilated instead.
    """

    def __init__(self, in_channels: int = 3, scale: float = 1.0, output_stride: int = 32) -> None:
        super().__init__()
        steps = dilated([block[5] for block in _BLOCKS], output_stride, before=_STEM_STRIDE)
        reached = tuple(accumulate((step[0] for step in steps), mul, initial=_STEM_STRIDE))[1:]
        self.channels = (*(scaled(_BLOCKS[i][2], scale) for i in _YIELDED), scaled(_LAST, scale))
        self.strides = (*(reached[i] for i in _YIELDED), reached[-1])
        inputs = scaled(_STEM, scale)
        self.stem = ConvNorm(in_channels, inputs, 3, stride=2, activation=nn.Hardswish())
        self.blocks = nn.LayerList()
        for (kernel, width, outputs, squeezed, activation, _), step in zip(_BLOCKS, steps, strict=True):
            channels = inputs, scaled(width, scale), scaled(outputs, scale)
            self.blocks.append(_Block(channels, kernel, squeezed, activation, *step))
            inputs = channels[2]
        self.last = ConvNorm(inputs, self.channels[-1], 1, activation=nn.Hardswish())

    def forward(self, x: Tensor) -> list[Tensor]:
        """The feature maps, finest first."""
        x = self.stem(x)
        maps = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _YIELDED:
                maps.append(x)
        return [*maps, self.last(x)]


class _Block(nn.Layer):
    """An inverted residual; `channels` are those of its input, inside, and of its output."""

    def __init__(
        self,
        channels: tuple[int, int, int],
        kernel: int,
        squeezed: bool,
        activation: type[nn.Layer],
        stride: int,
        dilation: int,
    ) -> None:
        super().__init__()
        inputs, width, outputs = channels
        layers = [ConvNorm(inputs, width, 1, activation=activation())] if width != inputs else []
        layers.append(ConvNorm(width, width, kernel, stride, width, activation(), dilation))
        if squeezed:
            layers.append(_SqueezeExcitation(width))
        self.branch = nn.Sequential(*layers, ConvNorm(width, outputs, 1))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x) if self.residual else self.branch(x)


class _SqueezeExcitation(nn.Layer):
    """A factor for each channel, computed from the means of all (Hu et al., 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inside = scaled(channels, 1 / _SQUEEZE)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2D(1),
            nn.Conv2D(channels, inside, 1),
            nn.ReLU(),
            nn.Conv2D(inside, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)
