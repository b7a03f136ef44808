"""MobileNet v2, from Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), table 2."""

from __future__ import annotations

from itertools import accumulate
from operator import mul

from paddle import Tensor, nn

from paddleprune.backbones.blocks import ConvNorm, dilated, scaled

_STEM = 32
_STEM_STRIDE = 2
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks, stride."""
_YIELDED = (1, 2, 4, 6)
"""The last stages at strides 4, 8, 16 and 32."""


class MobileNetV2(nn.Layer):
    """[N, in_channels, H, W] -> four feature maps, at strides 4, 8, 16 and 32.

    At `scale` 1 they have 24, 32, 96 and 320 channels. With an `output_stride` of 8 or 16 no map is coarser than
    that: stages are dilated instead.
    """

    def __init__(self, in_channels: int = 3, scale: float = 1.0, output_stride: int = 32) -> None:
        super().__init__()
        steps = dilated([stage[3] for stage in _STAGES], output_stride, before=_STEM_STRIDE)
        reached = tuple(accumulate((step[0] for step in steps), mul, initial=_STEM_STRIDE))[1:]
        self.channels = tuple(scaled(_STAGES[i][1], scale) for i in _YIELDED)
        self.strides = tuple(reached[i] for i in _YIELDED)
        inputs = scaled(_STEM, scale)
        self.stem = ConvNorm(in_channels, inputs, 3, stride=2, activation=nn.ReLU6())
        self.stages = nn.LayerList()
        for (expansion, channels, repeats, _), (stride, dilation) in zip(_STAGES, steps, strict=True):
            outputs = scaled(channels, scale)
            blocks = [_InvertedResidual(inputs, outputs, expansion, stride, dilation)]
            blocks += [_InvertedResidual(outputs, outputs, expansion, 1, dilation) for _ in range(1, repeats)]
            self.stages.append(nn.Sequential(*blocks))
            inputs = outputs

    def forward(self, x: Tensor) -> list[Tensor]:
        """The feature maps, finest first."""
        x = self.stem(x)
        maps = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in _YIELDED:
                maps.append(x)
        return maps


class _InvertedResidual(nn.Layer):
    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int, dilation: int) -> None:
        super().__init__()
        width = inputs * expansion
        layers = [ConvNorm(inputs, width, 1, activation=nn.ReLU6())] if expansion > 1 else []
        self.branch = nn.Sequential(
            *layers,
            ConvNorm(width, width, 3, stride, width, nn.ReLU6(), dilation),
            ConvNorm(width, outputs, 1),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x) if self.residual else self.branch(x)
