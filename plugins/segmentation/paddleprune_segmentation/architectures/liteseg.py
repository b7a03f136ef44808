"""PP-LiteSeg on STDC1, from Peng et al., "PP-LiteSeg: A Superior Real-Time Semantic Segmentation Model" (2022), and
Fan et al., "Rethinking BiSeNet For Real-time Semantic Segmentation" (2021).

Of the paper's two ways to weigh maps against each other it has the one by channel: the other one averages over
channels, so that none of them could be removed.
"""

from __future__ import annotations

from itertools import pairwise

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F  # noqa: N812

from paddleprune.backbones import ConvNorm, scaled
from paddleprune_segmentation.architectures.pyramid import pooled
from paddleprune_segmentation.architectures.segmenter import Segmenter, resized, score_head
from paddleprune_segmentation.options import ScaledOptions

_STEM = (32, 64)
_STAGES = (256, 512, 1024)
_DECODER = (32, 64, 128)
"""Channels of the decoder's maps, at strides 8, 16 and 32."""
_BINS = (1, 2, 4)
_SQUEEZE = 2


def pp_liteseg(options: ScaledOptions) -> nn.Layer:
    """The family `pp_liteseg`; its auxiliary heads read the decoder's coarser maps."""
    widths = [scaled(channels, options.scale) for channels in _DECODER]
    head, *auxiliary = (score_head(width, width, options.num_classes) for width in widths)
    return Segmenter(_LiteSeg(options, widths), head, auxiliary if options.aux_heads else ())


class _LiteSeg(nn.Layer):
    """An image to the decoder's maps, at strides 8, 16 and 32."""

    def __init__(self, options: ScaledOptions, widths: list[int]) -> None:
        super().__init__()
        first, second = (scaled(channels, options.scale) for channels in _STEM)
        stages = [scaled(channels, options.scale) for channels in _STAGES]
        self.stem = nn.Sequential(
            ConvNorm(options.input_channels, first, 3, stride=2, activation=nn.ReLU()),
            ConvNorm(first, second, 3, stride=2, activation=nn.ReLU()),
        )
        self.stages = nn.LayerList(
            [
                nn.Sequential(_DenseDown(before, after), _Dense(after, after))
                for before, after in pairwise([second, *stages])
            ]
        )
        self.pyramid = _Pyramid(stages[-1], widths[-1])
        coarse = [widths[-1], widths[-1], *widths[-2:0:-1]]
        self.fuse = nn.LayerList(
            [_Fusion(fine, above, width) for fine, above, width in zip(stages[::-1], coarse, widths[::-1], strict=True)]
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """The decoder's maps, finest first."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        x = self.pyramid(x)
        decoded = []
        for fuse in self.fuse:
            x = fuse(maps.pop(), x)
            decoded.append(x)
        return decoded[::-1]


class _Dense(nn.Layer):
    """STDC's block: four convolutions, each after the one before, of 1/2, 1/4, 1/8 and 1/8 of the channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        widths = _shares(outputs)
        self.first = ConvNorm(inputs, widths[0], 1, activation=nn.ReLU())
        self.rest = nn.LayerList([ConvNorm(a, b, 3, activation=nn.ReLU()) for a, b in pairwise(widths)])

    def forward(self, x: Tensor) -> Tensor:
        return paddle.concat(_chain(self.first(x), self.rest), axis=1)


class _DenseDown(nn.Layer):
    """STDC's block with stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        widths = _shares(outputs)
        self.first = ConvNorm(inputs, widths[0], 1, activation=nn.ReLU())
        self.down = ConvNorm(widths[0], widths[0], 3, stride=2, groups=widths[0])
        self.pool = nn.AvgPool2D(3, stride=2, padding=1)
        self.rest = nn.LayerList([ConvNorm(a, b, 3, activation=nn.ReLU()) for a, b in pairwise(widths)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return paddle.concat([self.pool(x), *_chain(self.down(x), self.rest)[1:]], axis=1)


class _Pyramid(nn.Layer):
    """The simple pyramid pooling module: the contexts are added, not joined."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.parts = nn.LayerList([pooled(size, inputs, outputs) for size in _BINS])
        self.join = ConvNorm(outputs, outputs, 3, activation=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        total = resized(self.parts[0](x), x)
        for part in self.parts[1:]:
            total = total + resized(part(x), x)
        return self.join(total)


class _Fusion(nn.Layer):
    """The unified attention fusion module: each channel says how much of the coarse and how much of the fine map."""

    def __init__(self, fine: int, coarse: int, outputs: int) -> None:
        super().__init__()
        inside = max(1, coarse // _SQUEEZE)
        self.fine = ConvNorm(fine, coarse, 3, activation=nn.ReLU())
        self.weigh = nn.Sequential(
            ConvNorm(4 * coarse, inside, 1, activation=nn.ReLU()), ConvNorm(inside, coarse, 1), nn.Sigmoid()
        )
        self.join = ConvNorm(coarse, outputs, 3, activation=nn.ReLU())

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        fine = self.fine(fine)
        coarse = resized(coarse, fine)
        pools = [pool(x, 1) for x in (coarse, fine) for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)]
        share = self.weigh(paddle.concat(pools, axis=1))
        return self.join(coarse * share + fine * (1 - share))


def _shares(channels: int) -> list[int]:
    return [channels // part for part in (2, 4, 8, 8)]


def _chain(x: Tensor, layers: nn.LayerList) -> list[Tensor]:
    """`x`, and what each layer makes of what the one before made."""
    made = [x]
    for layer in layers:
        made.append(layer(made[-1]))
    return made
