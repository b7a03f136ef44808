"""FCOS, from Tian et al., "FCOS: Fully Convolutional One-Stage Object Detection" (2019), on any backbone.

Against the paper, batch norms, one for each level, take the place of the group norms: no channel of a group norm
could be removed without a change in the others.
"""

from __future__ import annotations

from collections.abc import Callable

import paddle
from paddle import Tensor, nn

from paddleprune.backbones import scaled
from paddleprune_detection.architectures.layers import rare
from paddleprune_detection.architectures.pyramid import FeaturePyramid
from paddleprune_detection.heads.fcos import STRIDES
from paddleprune_detection.options import FcosOptions

_WIDTH = 256
_DEPTH = 4
"""Convolutions of each tower."""


def fcos(backbone: Callable[..., nn.Layer], options: FcosOptions) -> nn.Layer:
    """The families `fcos_*`."""
    return Fcos(backbone(in_channels=options.input_channels, scale=options.scale), options)


class Fcos(nn.Layer):
    """[N, C, H, W] -> five levels of scores [N, classes, h, w], distances [N, 4, h, w], centre-ness [N, 1, h, w]."""

    def __init__(self, backbone: nn.Layer, options: FcosOptions) -> None:
        super().__init__()
        width = scaled(_WIDTH, options.scale)
        self.backbone = backbone
        self.pyramid = FeaturePyramid(backbone.channels[-3:], width)
        self.coarser = nn.LayerList([nn.Conv2D(width, width, 3, 2, 1) for _ in STRIDES[3:]])
        self.kinds, self.places = _Tower(width), _Tower(width)
        self.scores = rare(nn.Conv2D(width, options.num_classes, 3, padding=1), 1, range(options.num_classes))
        self.distances = nn.Conv2D(width, 4, 3, padding=1)
        self.central = nn.Conv2D(width, 1, 3, padding=1)
        self.factors = nn.ParameterList(
            [paddle.create_parameter([1], "float32", default_initializer=nn.initializer.Constant(1.0)) for _ in STRIDES]
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """The outputs, finest level first."""
        maps = self.pyramid(self.backbone(x)[-3:])
        for layer in self.coarser:
            maps.append(layer(maps[-1]))
        found: list[Tensor] = []
        for level, here in enumerate(maps):
            kinds, places = self.kinds(here, level), self.places(here, level)
            found += [self.scores(kinds), self.distances(places) * self.factors[level], self.central(places)]
        return found


class _Tower(nn.Layer):
    """Convolutions that all levels share, with norms of their own: statistics differ from level to level."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolutions = nn.LayerList(
            [nn.Conv2D(width, width, 3, padding=1, bias_attr=False) for _ in range(_DEPTH)]
        )
        self.norms = nn.LayerList([nn.LayerList([nn.BatchNorm2D(width) for _ in range(_DEPTH)]) for _ in STRIDES])
        self.relu = nn.ReLU()

    def forward(self, x: Tensor, level: int) -> Tensor:
        """[N, width, H, W] of a level -> the same."""
        for depth, convolution in enumerate(self.convolutions):
            x = self.relu(self.norms[level][depth](convolution(x)))
        return x
