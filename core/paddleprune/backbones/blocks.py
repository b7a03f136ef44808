"""What the backbones are made of."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F  # noqa: N812

_MULTIPLE = 8


@paddle.jit.not_to_static  # type: ignore[untyped-decorator]  # a trace for any size would branch on the question
def resized(x: Tensor, like: Tensor, mode: str) -> Tensor:
    """`x`, interpolated to the height and width of `like`: "bilinear", or repeated, "nearest"."""
    now, size = list(x.shape[2:]), list(like.shape[2:])
    if min(size) < 1:  # a trace for any size
        return F.interpolate(x, paddle.shape(like)[2:], mode=mode)
    return x if now == size else F.interpolate(x, size, mode=mode)


def scaled(channels: int, scale: float) -> int:
    """`channels` times `scale`, to the nearest multiple of 8, and at least 8."""
    return max(_MULTIPLE, round(channels * scale / _MULTIPLE) * _MULTIPLE)


def dilated(strides: Sequence[int], output_stride: int, before: int = 1) -> list[tuple[int, int]]:
    """(stride, dilation) of consecutive stages, so that the last one's map has at most `output_stride`.

    Where a stride would exceed it, the stage and those after it are dilated instead, so that their filters see as
    far (Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017, section 3.1).

    Args:
        strides: of each stage.
        output_stride: 32 changes nothing in the usual networks.
        before: stride of what the first stage reads.
    """
    reached, dilation, found = before, 1, []
    for stride in strides:
        if reached * stride > output_stride:
            dilation *= stride
            found.append((1, dilation))
        else:
            reached *= stride
            found.append((stride, dilation))
    return found


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
        dilation: int = 1,
    ) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.conv = nn.Conv2D(inputs, outputs, kernel, stride, padding, dilation, groups, bias_attr=False)
        self.norm = nn.BatchNorm2D(outputs)
        self.activation = activation if activation is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        return self.activation(self.norm(self.conv(x)))


class Separable(nn.Layer):
    """A 3x3 depthwise convolution and a 1x1 convolution, each with batch norm and the activation, if one is given."""

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, activation: nn.Layer | None = None, dilation: int = 1
    ) -> None:
        super().__init__()
        self.depthwise = ConvNorm(inputs, inputs, 3, stride, inputs, activation, dilation)
        self.pointwise = ConvNorm(inputs, outputs, 1, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, ceil(H / stride), ceil(W / stride)]."""
        return self.pointwise(self.depthwise(x))
