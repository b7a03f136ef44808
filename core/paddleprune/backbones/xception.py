"""Aligned Xception with 41 and 65 layers, from Chen et al., "Encoder-Decoder with Atrous Separable Convolution
for Semantic Image Segmentation" (DeepLabv3+, 2018), figure 4, after Chollet's Xception (2017).
"""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, nn

from paddleprune.backbones.blocks import ConvNorm, scaled

_MIDDLE_BLOCKS = {41: 8, 65: 16}


class Xception(nn.Layer):
    """[N, in_channels, H, W] -> four feature maps, at strides 4, 8, 16 and 32.

    At `scale` 1 they have 128, 256, 728 and 2048 channels.
    """

    strides = (4, 8, 16, 32)

    def __init__(self, depth: int = 65, in_channels: int = 3, scale: float = 1.0) -> None:
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
        middle_flow = [_Block(middle, [middle] * 3) for _ in range(_MIDDLE_BLOCKS[depth])]
        self.stages = nn.LayerList(
            [
                _Block(entry[1], [entry[2]] * 3, stride=2),
                _Block(entry[2], [entry[3]] * 3, stride=2),
                nn.Sequential(_Block(entry[3], [middle] * 3, stride=2), *middle_flow),
                nn.Sequential(
                    _Block(middle, [middle, wide, wide], stride=2),
                    _Separable(wide, wider, activation=nn.ReLU()),
                    _Separable(wider, wider, activation=nn.ReLU()),
                    _Separable(wider, last, activation=nn.ReLU()),
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

    def __init__(self, inputs: int, outputs: Sequence[int], stride: int = 1) -> None:
        super().__init__()
        widths = [inputs, *outputs]
        strides = [1] * (len(outputs) - 1) + [stride]
        layers: list[nn.Layer] = []
        for before, after, step in zip(widths, outputs, strides, strict=False):
            layers += [nn.ReLU(), _Separable(before, after, step)]
        self.branch = nn.Sequential(*layers)
        plain = stride == 1 and inputs == widths[-1]
        self.shortcut = nn.Identity() if plain else ConvNorm(inputs, widths[-1], 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x) + self.shortcut(x)


class _Separable(nn.Layer):
    """A 3x3 depthwise convolution and a 1x1 convolution, each with batch norm and the activation, if one is given."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, activation: nn.Layer | None = None) -> None:
        super().__init__()
        self.depthwise = ConvNorm(inputs, inputs, 3, stride, groups=inputs, activation=activation)
        self.pointwise = ConvNorm(inputs, outputs, 1, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))
