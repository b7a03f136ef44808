"""U-Net, from Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation" (2015).

Against the paper: convolutions are padded, so that the scores have the image's size, and followed by batch norm.
"""

from __future__ import annotations

from itertools import pairwise

import paddle
from paddle import Tensor, nn

from paddleprune.backbones import ConvNorm
from paddleprune_segmentation.architectures.segmenter import Segmenter, resized
from paddleprune_segmentation.options import UNetOptions


def unet(options: UNetOptions) -> nn.Layer:
    """The family `unet`."""
    return Segmenter(_UNet(options), nn.Conv2D(options.width, options.num_classes, 1))


class _UNet(nn.Layer):
    """[N, C, H, W] -> [[N, width, H, W]]."""

    def __init__(self, options: UNetOptions) -> None:
        super().__init__()
        widths = [options.width << level for level in range(options.depth + 1)]
        self.first = _twice(options.input_channels, widths[0])
        # ceil_mode: the last row of an odd size counts too.
        self.down = nn.LayerList(
            [
                nn.Sequential(nn.MaxPool2D(2, 2, ceil_mode=True), _twice(fine, coarse))
                for fine, coarse in pairwise(widths)
            ]
        )
        up = _Transposed if options.upsample == "transposed" else _Bilinear
        self.up = nn.LayerList([up(coarse) for coarse in widths[:0:-1]])

    def forward(self, x: Tensor) -> list[Tensor]:
        """The finest feature map."""
        x = self.first(x)
        skipped = []
        for level in self.down:
            skipped.append(x)
            x = level(x)
        for level in self.up:
            x = level(x, skipped.pop())
        return [x]


class _Up(nn.Layer):
    """Twice the size and half the channels, joined with the map that was skipped over."""

    def __init__(self, halve: nn.Layer, inputs: int) -> None:
        super().__init__()
        self.halve = halve
        self.join = _twice(inputs, inputs // 2)


class _Bilinear(_Up):
    def __init__(self, inputs: int) -> None:
        super().__init__(nn.Conv2D(inputs, inputs // 2, 1), inputs)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        # The 1x1 convolution comes first: it commutes with the interpolation, and costs a quarter there.
        return self.join(paddle.concat([skipped, resized(self.halve(x), skipped)], axis=1))


class _Transposed(_Up):
    def __init__(self, inputs: int) -> None:
        super().__init__(nn.Conv2DTranspose(inputs, inputs // 2, 2, stride=2), inputs)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        height, width = skipped.shape[2:]
        return self.join(paddle.concat([skipped, self.halve(x)[:, :, :height, :width]], axis=1))


def _twice(inputs: int, outputs: int) -> nn.Layer:
    return nn.Sequential(
        ConvNorm(inputs, outputs, 3, activation=nn.ReLU()), ConvNorm(outputs, outputs, 3, activation=nn.ReLU())
    )
