"""ResNet-vd ("ResNet-D"), from He et al., "Bag of Tricks for Image Classification with CNNs" (2018), section 4.

Against the plain ResNet: a stem of three 3x3 convolutions, the stride of a bottleneck on its 3x3 convolution,
and a shortcut that averages over 2x2 before its 1x1 convolution instead of skipping pixels.
"""

from __future__ import annotations

from itertools import accumulate
from operator import mul

from paddle import Tensor, nn

from paddleprune.backbones.blocks import ConvNorm, dilated, scaled

_REPEATS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_WIDTHS = (64, 128, 256, 512)
_STEM = (32, 32, 64)
_STEM_STRIDE = 4
_BOTTLENECK_FROM = 50
_EXPANSION = 4


class ResNetVd(nn.Layer):
    """[N, in_channels, H, W] -> four feature maps, at strides 4, 8, 16 and 32.

    At `scale` 1 they have 64, 128, 256 and 512 channels (depth 18 and 34), or four times as many (50 and 101).
    With an `output_stride` of 8 or 16 no map is coarser than that: stages are dilated instead.
    """

    def __init__(self, depth: int = 50, in_channels: int = 3, scale: float = 1.0, output_stride: int = 32) -> None:
        super().__init__()
        if depth not in _REPEATS:
            raise ValueError(f"ResNet-vd has no depth {depth}; choose from {', '.join(map(str, _REPEATS))}")
        block, expansion = (_Bottleneck, _EXPANSION) if depth >= _BOTTLENECK_FROM else (_Basic, 1)
        widths = [scaled(width, scale) for width in _WIDTHS]
        stem = [scaled(width, scale) for width in _STEM]
        self.channels = tuple(width * expansion for width in widths)
        self.stem = nn.Sequential(
            ConvNorm(in_channels, stem[0], 3, stride=2, activation=nn.ReLU()),
            ConvNorm(stem[0], stem[1], 3, activation=nn.ReLU()),
            ConvNorm(stem[1], stem[2], 3, activation=nn.ReLU()),
            nn.MaxPool2D(3, stride=2, padding=1),
        )
        steps = dilated((1, 2, 2, 2), output_stride, before=_STEM_STRIDE)
        self.strides = tuple(accumulate((step[0] for step in steps), mul, initial=_STEM_STRIDE))[1:]
        self.stages = nn.LayerList()
        inputs = stem[2]
        for width, outputs, repeats, step in zip(widths, self.channels, _REPEATS[depth], steps, strict=True):
            first = block(inputs, width, outputs, *step)
            rest = [block(outputs, width, outputs, 1, step[1]) for _ in range(1, repeats)]
            self.stages.append(nn.Sequential(first, *rest))
            inputs = outputs

    def forward(self, x: Tensor) -> list[Tensor]:
        """The feature maps, finest first."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _Residual(nn.Layer):
    """What both blocks share: `relu(branch(x) + shortcut(x))`."""

    def __init__(self, branch: nn.Layer, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = _shortcut(inputs, outputs, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.branch(x) + self.shortcut(x))


class _Basic(_Residual):
    def __init__(self, inputs: int, width: int, outputs: int, stride: int, dilation: int) -> None:
        branch = nn.Sequential(
            ConvNorm(inputs, width, 3, stride, activation=nn.ReLU(), dilation=dilation),
            ConvNorm(width, outputs, 3, dilation=dilation),
        )
        super().__init__(branch, inputs, outputs, stride)


class _Bottleneck(_Residual):
    def __init__(self, inputs: int, width: int, outputs: int, stride: int, dilation: int) -> None:
        branch = nn.Sequential(
            ConvNorm(inputs, width, 1, activation=nn.ReLU()),
            ConvNorm(width, width, 3, stride, activation=nn.ReLU(), dilation=dilation),
            ConvNorm(width, outputs, 1),
        )
        super().__init__(branch, inputs, outputs, stride)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Layer:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    convolution = ConvNorm(inputs, outputs, 1)
    # ceil_mode: an odd size must come out as that of the 3x3 convolution beside it.
    return nn.Sequential(nn.AvgPool2D(2, stride=2, ceil_mode=True), convolution) if stride > 1 else convolution
