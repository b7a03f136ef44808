"""BiSeNet v2, from Yu et al., "BiSeNet V2: Bilateral Network with Guided Aggregation for Real-time Semantic
Segmentation" (2020), table 1 and figures 4 to 6.
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from paddleprune.backbones import ConvNorm, scaled
from paddleprune_segmentation.architectures.segmenter import Segmenter, resized, score_head
from paddleprune_segmentation.options import ScaledOptions

_DETAIL = ((64, 2), (64, 3), (128, 3))
"""Channels and convolutions of each stage; the first one has stride 2."""
_STEM = 16
_SEMANTIC = ((32, 2), (64, 2), (128, 4))
"""Channels and layers of each stage; the first one has stride 2."""
_EXPANSION = 6
_HEAD = 1024


def bisenet_v2(options: ScaledOptions) -> nn.Layer:
    """The family `bisenetv2`; the booster's auxiliary heads read each stage of the semantic branch."""
    body, inside = _BiSeNetV2(options), scaled(_HEAD, options.scale)
    head = score_head(scaled(_DETAIL[-1][0], options.scale), inside, options.num_classes)
    stages = [scaled(channels, options.scale) for channels in (_STEM, *(channels for channels, _ in _SEMANTIC))]
    auxiliary = [score_head(channels, inside // 4, options.num_classes) for channels in stages]
    return Segmenter(body, head, auxiliary if options.aux_heads else ())


class _BiSeNetV2(nn.Layer):
    """An image to the aggregated map (stride 8) and those of the semantic branch (strides 4 to 32)."""

    def __init__(self, options: ScaledOptions) -> None:
        super().__init__()
        details, inputs = [], options.input_channels
        for channels, count in _DETAIL:
            width = scaled(channels, options.scale)
            for number in range(count):
                details.append(ConvNorm(inputs, width, 3, 1 if number else 2, activation=nn.ReLU()))
                inputs = width
        self.detail = nn.Sequential(*details)
        detailed, inputs = inputs, scaled(_STEM, options.scale)
        self.stem = _Stem(options.input_channels, inputs)
        self.semantic = nn.LayerList()
        for channels, count in _SEMANTIC:
            width = scaled(channels, options.scale)
            rest = [_Gather(width) for _ in range(1, count)]
            self.semantic.append(nn.Sequential(_GatherDown(inputs, width), *rest))
            inputs = width
        self.context = _Context(inputs)
        self.aggregate = _Aggregation(detailed, inputs)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The aggregated map, then those of the semantic branch."""
        maps = [self.stem(x)]
        for stage in self.semantic:
            maps.append(stage(maps[-1]))
        return [self.aggregate(self.detail(x), self.context(maps[-1])), *maps]


class _Stem(nn.Layer):
    """Two ways to a quarter of the size, side by side (figure 4a)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, width, 3, stride=2, activation=nn.ReLU())
        self.convolved = nn.Sequential(
            ConvNorm(width, max(1, width // 2), 1, activation=nn.ReLU()),
            ConvNorm(max(1, width // 2), width, 3, stride=2, activation=nn.ReLU()),
        )
        self.pool = nn.MaxPool2D(3, stride=2, padding=1)
        self.join = ConvNorm(2 * width, width, 3, activation=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.join(paddle.concat([self.convolved(x), self.pool(x)], axis=1))


class _Gather(nn.Layer):
    """Gather and expand (figure 5b): several filters for each channel alone, then back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = width * _EXPANSION
        self.branch = nn.Sequential(
            ConvNorm(width, width, 3, activation=nn.ReLU()),
            ConvNorm(width, wide, 3, groups=width),
            ConvNorm(wide, width, 1),
        )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x + self.branch(x))


class _GatherDown(nn.Layer):
    """Gather and expand with stride 2 (figure 5c)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        wide = inputs * _EXPANSION
        self.branch = nn.Sequential(
            ConvNorm(inputs, inputs, 3, activation=nn.ReLU()),
            ConvNorm(inputs, wide, 3, stride=2, groups=inputs),
            ConvNorm(wide, wide, 3, groups=wide),
            ConvNorm(wide, outputs, 1),
        )
        self.shortcut = nn.Sequential(
            ConvNorm(inputs, inputs, 3, stride=2, groups=inputs), ConvNorm(inputs, outputs, 1)
        )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.shortcut(x) + self.branch(x))


class _Context(nn.Layer):
    """The average over the image, added to every position (figure 4b)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.average = nn.Sequential(
            nn.AdaptiveAvgPool2D(1), nn.BatchNorm2D(width), ConvNorm(width, width, 1, activation=nn.ReLU())
        )
        self.join = ConvNorm(width, width, 3, activation=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.join(x + self.average(x))


class _Aggregation(nn.Layer):
    """Bilateral guided aggregation (figure 6): each branch is weighted by the other, at both sizes."""

    def __init__(self, detail: int, semantic: int) -> None:
        super().__init__()
        self.fine = _separable(detail, detail)
        self.halved = nn.Sequential(ConvNorm(detail, detail, 3, stride=2), nn.AvgPool2D(3, stride=2, padding=1))
        self.fine_gate = ConvNorm(semantic, detail, 3, activation=nn.Sigmoid())
        self.coarse_gate = nn.Sequential(_separable(semantic, detail), nn.Sigmoid())
        self.join = ConvNorm(detail, detail, 3)

    def forward(self, detail: Tensor, semantic: Tensor) -> Tensor:
        fine = self.fine(detail) * resized(self.fine_gate(semantic), detail)
        coarse = self.halved(detail) * self.coarse_gate(semantic)
        return self.join(fine + resized(coarse, detail))


def _separable(inputs: int, outputs: int) -> nn.Layer:
    return nn.Sequential(ConvNorm(inputs, inputs, 3, groups=inputs), nn.Conv2D(inputs, outputs, 1))
