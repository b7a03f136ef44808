"""Fast-SCNN, from Poudel et al., "Fast-SCNN: Fast Semantic Segmentation Network" (2019), table 1 and section 3."""

from __future__ import annotations

from paddle import Tensor, nn

from paddleprune.backbones import ConvNorm, Separable, scaled
from paddleprune_segmentation.architectures.pyramid import PyramidPooling
from paddleprune_segmentation.architectures.segmenter import Segmenter, resized, score_head
from paddleprune_segmentation.options import ScaledOptions

_DOWNSAMPLE = (32, 48, 64)
_BOTTLENECKS = ((64, 2), (96, 2), (128, 1))
"""Channels and stride of each three; each is six times as wide inside."""
_REPEATS = 3
_EXPANSION = 6
_FUSED = 128
_LOW_DILATION = 4
_AUXILIARY = 32


def fast_scnn(options: ScaledOptions) -> nn.Layer:
    """The family `fast_scnn`; its auxiliary heads read what is fused."""
    body, width = _FastScnn(options), scaled(_FUSED, options.scale)
    head = nn.Sequential(
        Separable(width, width, activation=nn.ReLU()),
        Separable(width, width, activation=nn.ReLU()),
        nn.Dropout(0.1),
        nn.Conv2D(width, options.num_classes, 1),
    )
    inside = scaled(_AUXILIARY, options.scale)
    auxiliary = [score_head(channels, inside, options.num_classes) for channels in (scaled(64, options.scale), width)]
    return Segmenter(body, head, auxiliary if options.aux_heads else ())


class _FastScnn(nn.Layer):
    """An image to the fused map, the fine one (both at stride 8) and the one with context (stride 32)."""

    def __init__(self, options: ScaledOptions) -> None:
        super().__init__()
        first, second, fine = (scaled(channels, options.scale) for channels in _DOWNSAMPLE)
        self.downsample = nn.Sequential(
            ConvNorm(options.input_channels, first, 3, stride=2, activation=nn.ReLU()),
            Separable(first, second, stride=2, activation=nn.ReLU()),
            Separable(second, fine, stride=2, activation=nn.ReLU()),
        )
        blocks, inputs = [], fine
        for channels, stride in _BOTTLENECKS:
            for number in range(_REPEATS):
                outputs = scaled(channels, options.scale)
                blocks.append(_Bottleneck(inputs, outputs, 1 if number else stride))
                inputs = outputs
        fused = scaled(_FUSED, options.scale)
        self.context = nn.Sequential(*blocks, PyramidPooling(inputs, fused))
        self.fuse = _Fusion(fine, fused, fused)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The fused map, and the two that it is made of."""
        fine = self.downsample(x)
        coarse = self.context(fine)
        return [self.fuse(fine, coarse), fine, coarse]


class _Bottleneck(nn.Layer):
    """An inverted residual, as in MobileNet v2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        width = inputs * _EXPANSION
        self.branch = nn.Sequential(
            ConvNorm(inputs, width, 1, activation=nn.ReLU()),
            ConvNorm(width, width, 3, stride, width, nn.ReLU()),
            ConvNorm(width, outputs, 1),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x) if self.residual else self.branch(x)


class _Fusion(nn.Layer):
    """The fine map plus the coarse one, each through a 1x1 convolution (table 2)."""

    def __init__(self, fine: int, coarse: int, outputs: int) -> None:
        super().__init__()
        self.coarse = nn.Sequential(
            ConvNorm(coarse, coarse, 3, groups=coarse, activation=nn.ReLU(), dilation=_LOW_DILATION),
            ConvNorm(coarse, outputs, 1),
        )
        self.fine = ConvNorm(fine, outputs, 1)
        self.relu = nn.ReLU()

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        return self.relu(self.fine(fine) + self.coarse(resized(coarse, fine)))
