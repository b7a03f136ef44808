"""Aligned Xception with 41 and 65 layers, from Chen et al., "Encoder-Decoder with Atrous Separable Convolution
for Semantic Image Segmentation" (DeepLabv3+, 2018), figure 4, after Chollet's Xception (2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import mul

from paddle import Tensor, nn

from paddleprune.backbones.blocks import ConvNorm, Separable, dilated, scaled

_MIDDLE_BLOCKS = {41: 8, 65: 16}
_STEM_STRIDE = 2


class Xception(nn.Layer):
    """[N, in_channels, H, W] -> four feature maps, at strides 4, 8, 16 and 32.

    At `scale` 1 they have 128, 256, 728 and 2048 channels. With an `output_stride` of 8 or 16 no map is coarser
    than that: blocks are dilated instead.
    """

    def __init__(self, depth: int = 65, in_channels: int = 3, scale: float = 1.0, output_stride: int = 32) -> None:
        super().__init__()
        if depth not in _MIDDLE_BLOCKS:
            raise ValueError(f"Xception has no depth {depth}; choose from {', '.join(map(str, _MIDDLE_BLOCKS))}")
        entry = [scaled(channels, scale) for channels in (32, 64, 128, 256, 728)]
        middle = entry[-1]
        wide, wider, last = (scaled(channels, scale) for channels in (1024, 1536, 2048))
        self.channels = (entry[2], entry[3], middle, last)
        self.stem = nn.Sequential(
            ConvNorm(in_channels, entry[0], 3, stride=2, activation=nn.ReLU()),
            ConvNorm(entry[0], entry[1], 3, activation=nn.ReLU()),
        )
        steps = dilated((2, 2, 2, 2), output_stride, before=_STEM_STRIDE)
        self.strides = tuple(accumulate((step[0] for step in steps), mul, initial=_STEM_STRIDE))[1:]
        middle_flow = [_Block(middle, [middle] * 3, 1, steps[2][1]) for _ in range(_MIDDLE_BLOCKS[depth])]
        self.stages = nn.LayerList(
            [
                _Block(entry[1], [entry[2]] * 3, *steps[0]),
                _Block(entry[2], [entry[3]] * 3, *steps[1]),
                nn.Sequential(_Block(entry[3], [middle] * 3, *steps[2]), *middle_flow),
                nn.Sequential(
                    _Block(middle, [middle, wide, wide], *steps[3]),
                    Separable(wide, wider, activation=nn.ReLU(), dilation=steps[3][1]),
                    Separable(wider, wider, activation=nn.ReLU(), dilation=steps[3][1]),
                    Separable(wider, last, activation=nn.ReLU(), dilation=steps[3][1]),
                ),
            ]
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """The feature maps, finest first."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _Block(nn.Layer):
    """Three separable convolutions, each after a ReLU, beside a shortcut; the last has the stride."""

    def __init__(self, inputs: int, outputs: Sequence[int], stride: int, dilation: int) -> None:
        super().__init__()
        widths = [inputs, *outputs]
        strides = [1] * (len(outputs) - 1) + [stride]
        layers: list[nn.Layer] = []
        for before, after, step in zip(widths, outputs, strides, strict=False):
            layers += [nn.ReLU(), Separable(before, after, step, dilation=dilation)]
        self.branch = nn.Sequential(*layers)
        plain = stride == 1 and inputs == widths[-1]
        self.shortcut = nn.Identity() if plain else ConvNorm(inputs, widths[-1], 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x) + self.shortcut(x)
