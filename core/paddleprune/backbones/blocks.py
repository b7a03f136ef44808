"""What the backbones are made of."""

from __future__ import annotations

from paddle import Tensor, nn

_MULTIPLE = 8


def scaled(channels: int, scale: float) -> int:
    """`channels` times `scale`, to the nearest multiple of 8, and at least 8."""
    return max(_MULTIPLE, round(channels * scale / _MULTIPLE) * _MULTIPLE)


class ConvNorm(nn.Layer):
    """Convolution (no bias, padded so that stride 1 keeps the size), batch norm, and an activation if one is given.

    [N, inputs, H, W] -> [N, outputs, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        activation: nn.Layer | None = None,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2D(
            inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias_attr=False
        )
        self.norm = nn.BatchNorm2D(outputs)
        self.activation = activation if activation is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        return self.activation(self.norm(self.conv(x)))
