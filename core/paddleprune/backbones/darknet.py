"""DarkNet53, from Redmon & Farhadi, "YOLOv3: An Incremental Improvement" (2018), table 1."""

from __future__ import annotations

from paddle import Tensor, nn

from paddleprune.backbones.blocks import ConvNorm, scaled

_REPEATS = (1, 2, 8, 8, 4)
_FIRST_STAGE = 64
_SLOPE = 0.1


class DarkNet53(nn.Layer):
    """[N, in_channels, H, W] -> five feature maps, at strides 2, 4, 8, 16 and 32.

    At `scale` 1 they have 64, 128, 256, 512 and 1024 channels.
    """

    strides = (2, 4, 8, 16, 32)

    def __init__(self, in_channels: int = 3, scale: float = 1.0) -> None:
        super().__init__()
        self.channels = tuple(scaled(_FIRST_STAGE << stage, scale) for stage in range(len(_REPEATS)))
        stem = scaled(_FIRST_STAGE // 2, scale)
        self.stem = _conv(in_channels, stem, 3)
        self.stages = nn.LayerList()
        for inputs, outputs, repeats in zip((stem, *self.channels), self.channels, _REPEATS, strict=False):
            blocks = [_Residual(outputs) for _ in range(repeats)]
            self.stages.append(nn.Sequential(_conv(inputs, outputs, 3, stride=2), *blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        """The feature maps, finest first."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _Residual(nn.Layer):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = _conv(channels, channels // 2, 1)
        self.expand = _conv(channels // 2, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.expand(self.reduce(x))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> ConvNorm:
    return ConvNorm(inputs, outputs, kernel, stride, activation=nn.LeakyReLU(_SLOPE))
