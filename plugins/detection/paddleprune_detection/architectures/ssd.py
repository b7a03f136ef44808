"""SSD, from Liu et al., "SSD: Single Shot MultiBox Detector" (2016), on MobileNet v1.

As Howard et al., "MobileNets" (2017), section 4.6, it reads the backbone's maps at strides 16 and 32 and four more.
"""

from __future__ import annotations

from collections.abc import Callable

from paddle import Tensor, nn

from paddleprune.backbones import ConvNorm, scaled
from paddleprune_detection.heads.ssd import boxes_per_cell
from paddleprune_detection.options import SsdOptions

_EXTRA = ((256, 512), (128, 256), (128, 256), (64, 128))
"""Channels inside and out of the levels after the backbone; each halves the size."""


def ssd(backbone: Callable[..., nn.Layer], options: SsdOptions) -> nn.Layer:
    """The families `ssd_*`."""
    return Ssd(backbone(in_channels=options.input_channels, scale=options.scale), options)


class Ssd(nn.Layer):
    """[N, C, H, W] -> for each of six levels offsets [N, A * 4, h, w] and scores [N, A * (classes + 1), h, w]."""

    def __init__(self, backbone: nn.Layer, options: SsdOptions) -> None:
        super().__init__()
        self.backbone = backbone
        channels = list(backbone.channels[-2:])
        self.extra = nn.LayerList()
        for inside, outside in _EXTRA:
            width, outputs = scaled(inside, options.scale), scaled(outside, options.scale)
            first = ConvNorm(channels[-1], width, 1, activation=nn.ReLU())
            self.extra.append(nn.Sequential(first, ConvNorm(width, outputs, 3, stride=2, activation=nn.ReLU())))
            channels.append(outputs)
        counts = [boxes_per_cell(level) for level in range(len(channels))]
        self.offsets = nn.LayerList([nn.Conv2D(c, 4 * n, 1) for c, n in zip(channels, counts, strict=True)])
        scores = options.num_classes + 1
        self.scores = nn.LayerList([nn.Conv2D(c, scores * n, 1) for c, n in zip(channels, counts, strict=True)])

    def forward(self, x: Tensor) -> list[Tensor]:
        """The outputs, finest level first."""
        maps = self.backbone(x)[-2:]
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        found: list[Tensor] = []
        for level, here in enumerate(maps):
            found += [self.offsets[level](here), self.scores[level](here)]
        return found
