"""DeepLab v3+, from Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation"
(2018), on any backbone of `paddleprune.backbones`.
"""

from __future__ import annotations

from collections.abc import Callable

import paddle
from paddle import Tensor, nn

from paddleprune.backbones import ConvNorm, Separable
from paddleprune_segmentation.architectures.pyramid import pooled
from paddleprune_segmentation.architectures.segmenter import Segmenter, resized
from paddleprune_segmentation.options import DeepLabOptions

_RATES = (6, 12, 18)
_RATES_FOR = 16
"""The output stride that the rates are meant for."""
_FINE_SHARE = 48 / 256
_DROPOUT = 0.1


def deeplab(backbone: Callable[..., nn.Layer], options: DeepLabOptions) -> nn.Layer:
    """The families `deeplabv3p_*`."""
    features = backbone(in_channels=options.input_channels, scale=options.scale, output_stride=options.output_stride)
    head = nn.Conv2D(options.head_width, options.num_classes, 1)
    return Segmenter(_DeepLab(features, options), head)


class _DeepLab(nn.Layer):
    """[N, C, H, W] -> [[N, head_width, h, w]]: a quarter of the size with a decoder, else the output stride's."""

    def __init__(self, backbone: nn.Layer, options: DeepLabOptions) -> None:
        super().__init__()
        self.backbone = backbone
        coarse, width = backbone.channels[-1], options.head_width
        rates = [rate * _RATES_FOR // options.output_stride for rate in _RATES]
        context = _Aspp(coarse, width, rates) if options.aspp else ConvNorm(coarse, width, 1, activation=nn.ReLU())
        self.encoder = nn.Sequential(context, nn.Dropout(_DROPOUT))
        self.decoder = _Decoder(backbone.channels[0], width) if options.decoder else None

    def forward(self, x: Tensor) -> list[Tensor]:
        """The map that the scores are made of."""
        maps = self.backbone(x)
        encoded = self.encoder(maps[-1])
        return [encoded if self.decoder is None else self.decoder(maps[0], encoded)]


class _Aspp(nn.Layer):
    """Atrous spatial pyramid pooling: filters at several rates, and the average over the image, side by side."""

    def __init__(self, inputs: int, width: int, rates: list[int]) -> None:
        super().__init__()
        self.branches = nn.LayerList(
            [
                ConvNorm(inputs, width, 1, activation=nn.ReLU()),
                *(Separable(inputs, width, activation=nn.ReLU(), dilation=rate) for rate in rates),
                pooled(1, inputs, width),
            ]
        )
        self.join = ConvNorm(width * len(self.branches), width, 1, activation=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.join(paddle.concat([resized(branch(x), x) for branch in self.branches], axis=1))


class _Decoder(nn.Layer):
    """The encoded map on the fine one, of which a 1x1 convolution leaves few channels."""

    def __init__(self, fine: int, width: int) -> None:
        super().__init__()
        narrow = max(1, round(width * _FINE_SHARE))
        self.fine = ConvNorm(fine, narrow, 1, activation=nn.ReLU())
        self.join = nn.Sequential(
            Separable(narrow + width, width, activation=nn.ReLU()), Separable(width, width, activation=nn.ReLU())
        )

    def forward(self, fine: Tensor, encoded: Tensor) -> Tensor:
        return self.join(paddle.concat([self.fine(fine), resized(encoded, fine)], axis=1))
