"""Context from averages over parts of the image."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F  # noqa: N812

from paddleprune.backbones import ConvNorm
from paddleprune_segmentation.architectures.segmenter import resized


class Parts(nn.Layer):
    """Averages over size x size parts of the map, which overlap where its size isn't a multiple.

    [N, C, H, W] -> [N, C, min(size, H), min(size, W)]. Paddle's adaptive pooling, with parts of several sizes side
    by side, can't be said in ONNX.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """The averages."""
        if self.size == 1:
            return F.adaptive_avg_pool2d(x, 1)
        height, width = x.shape[2:]
        rows, columns = min(self.size, height), min(self.size, width)
        down, right = height // rows, width // columns
        return F.avg_pool2d(x, (height - (rows - 1) * down, width - (columns - 1) * right), (down, right))


def pooled(size: int, inputs: int, outputs: int) -> nn.Layer:
    """Averages over size x size parts, then a 1x1 convolution: [N, inputs, H, W] -> [N, outputs, size, size]."""
    return nn.Sequential(Parts(size), ConvNorm(inputs, outputs, 1, activation=nn.ReLU()))


class PyramidPooling(nn.Layer):
    """Averages over 1, 4, 9 and 36 parts beside the map itself (Zhao et al., 2017, section 3.2).

    [N, inputs, H, W] -> [N, outputs, H, W].
    """

    def __init__(self, inputs: int, outputs: int, sizes: Sequence[int] = (1, 2, 3, 6)) -> None:
        super().__init__()
        part = max(1, inputs // len(sizes))
        self.parts = nn.LayerList([pooled(size, inputs, part) for size in sizes])
        self.join = ConvNorm(inputs + part * len(sizes), outputs, 1, activation=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """The map with its context."""
        context = [resized(part(x), x) for part in self.parts]
        return self.join(paddle.concat([x, *context], axis=1))
