"""Convolutions: 1, 2 and 3-D, grouped, dilated, depthwise, transposed, deformable, channels last."""

from __future__ import annotations

from functools import partial
from typing import Any

import paddle.nn.functional as F  # noqa: N812
from networks import conv
from ops_support import Case, Net
from paddle import nn
from paddle.vision.ops import DeformConv2D


class Conv1DGrouped(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv1D(3, 8, 3, padding=1), nn.BatchNorm1D(8)
        self.a = nn.Conv1D(8, 6, 3, padding=2, dilation=2, groups=2)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(F.relu(self.a(F.relu(self.norm(self.stem(x))))).mean(-1))


class Conv1DDepthwise(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a = nn.Conv1D(3, 8, 3, padding=1), nn.Conv1D(8, 16, 3, padding=1, groups=8)
        self.b, self.head = nn.Conv1D(16, 6, 1), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(F.relu(self.b(F.relu(self.a(self.stem(x))))).mean(-1))


class Conv3DGrouped(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv3D(3, 8, 3, padding=1), nn.BatchNorm3D(8)
        self.a = nn.Conv3D(8, 6, 3, padding=2, dilation=2, groups=2)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.a(F.relu(self.norm(self.stem(x)))))
        return self.head(F.adaptive_avg_pool3d(x, 1).flatten(1))


class Conv3DDepthwise(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a = nn.Conv3D(3, 8, 1), nn.Conv3D(8, 8, 3, padding=1, groups=8)
        self.b, self.head = nn.Conv3D(8, 6, 1), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(self.b(F.relu(self.a(self.stem(x)))).mean([2, 3, 4]))


class ChannelsLast(nn.Layer):
    def __init__(self, groups: int = 1) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, 8, 3, padding=1, data_format="NHWC")
        self.norm = nn.BatchNorm2D(8, data_format="NHWC")
        self.a = nn.Conv2D(8, 8, 3, padding=1, groups=groups, data_format="NHWC")
        self.pool = nn.MaxPool2D(2, data_format="NHWC")
        self.head = nn.Linear(8, 5)

    def forward(self, x: Any) -> Any:
        x = self.pool(F.relu(self.a(F.relu(self.norm(self.stem(x))))))
        return self.head(F.adaptive_avg_pool2d(x, 1, data_format="NHWC").flatten(1))


class GroupedChain(Net):
    def __init__(self) -> None:
        super().__init__(16)
        self.a, self.b = conv(8, 8, groups=2), conv(8, 16, groups=4)

    def body(self, x: Any) -> Any:
        return F.relu(self.b(F.relu(self.a(x))))


class Dilated(Net):
    def __init__(self) -> None:
        super().__init__(8)
        self.a = nn.Conv2D(8, 8, 3, padding=2, dilation=2)
        self.b = nn.Conv2D(8, 8, 3, padding=4, dilation=4, groups=8)

    def body(self, x: Any) -> Any:
        return self.a(x) + F.relu(self.b(x))


class Asymmetric(Net):
    """Kernels of one row or column, padding of four different sides."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a = nn.Conv2D(8, 8, (1, 7), padding=(0, 3))
        self.b = nn.Conv2D(8, 6, (7, 1), padding=[2, 4, 1, 0], stride=(2, 1))

    def body(self, x: Any) -> Any:
        return self.b(F.relu(self.a(x)))


class OneChannelImage(nn.Layer):
    """A convolution of one channel into many, of many into one, and of one into many: none is depthwise."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.b, self.head = conv(1, 8), conv(8, 1), conv(1, 8), nn.Linear(8, 5)

    def forward(self, x: Any) -> Any:
        return self.head(F.relu(self.b(F.relu(self.a(F.relu(self.stem(x)))))).mean([2, 3]))


class DepthwiseOnImage(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.depthwise, self.pointwise = conv(3, 3, groups=3), conv(3, 8, 1)
        self.a, self.head = conv(8, 6), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(self.a(F.relu(self.pointwise(self.depthwise(x)))).mean([2, 3]))


class Separable(Net):
    """Depthwise with a multiplier of 2, a norm, and a second depthwise convolution on all of it."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.norm, self.b = conv(8, 16, groups=8), nn.BatchNorm2D(16), conv(16, 16, groups=16)
        self.c = conv(16, 6, 1)

    def body(self, x: Any) -> Any:
        return self.c(F.relu(self.b(F.relu(self.norm(self.a(x))))))


class FunctionalDepthwise(Net):
    def __init__(self) -> None:
        super().__init__(8)
        self.kernel = self.create_parameter([8, 1, 3, 3])

    def body(self, x: Any) -> Any:
        return F.conv2d(x, self.kernel, padding=1, groups=x.shape[1])


class FunctionalDepthwiseHardCoded(Net):
    def __init__(self) -> None:
        super().__init__(8)
        self.kernel, self.a = self.create_parameter([8, 1, 3, 3]), conv(8, 8)

    def body(self, x: Any) -> Any:
        return self.a(F.conv2d(x, self.kernel, padding=1, groups=8))


class Functional(Net):
    def __init__(self) -> None:
        super().__init__(4)
        self.kernel, self.bias = self.create_parameter([6, 8, 3, 3]), self.create_parameter([6], is_bias=True)
        self.grouped = self.create_parameter([4, 3, 1, 1])

    def body(self, x: Any) -> Any:
        return F.conv2d(F.relu(F.conv2d(x, self.kernel, self.bias, padding=1)), self.grouped, groups=2)


class CircularPadding(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a = nn.Conv2D(8, 8, 3, padding=1, padding_mode="circular")
        self.b = nn.Conv2D(8, 6, 3, padding=1, padding_mode="reflect")

    def body(self, x: Any) -> Any:
        return self.b(F.relu(self.a(x)))


class WeightNorm(Net):
    """Its weights are computed: what it reads and makes stays, the rest goes."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b, self.c = conv(8, 6), nn.utils.weight_norm(conv(6, 6)), conv(6, 6)

    def body(self, x: Any) -> Any:
        return self.c(F.relu(self.b(F.relu(self.a(x)))))


class Transposed1D(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a = nn.Conv1D(3, 8, 3), nn.Conv1DTranspose(8, 6, 2, stride=2)
        self.b, self.head = nn.Conv1DTranspose(6, 6, 3, groups=2), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(F.relu(self.b(F.relu(self.a(F.relu(self.stem(x)))))).mean(-1))


class Transposed2D(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a = nn.Conv2DTranspose(8, 6, 3, stride=2, padding=1, output_padding=1)
        self.norm, self.b = nn.BatchNorm2D(6), nn.Conv2DTranspose(6, 6, 4, stride=2, padding=1, bias_attr=False)

    def body(self, x: Any) -> Any:
        return self.b(F.relu(self.norm(self.a(x))), output_size=[32, 32])


class Transposed3D(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a = nn.Conv3D(3, 8, 1), nn.Conv3DTranspose(8, 6, 2, stride=2)
        self.b, self.head = nn.Conv3DTranspose(6, 6, 1, groups=3), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(F.relu(self.b(F.relu(self.a(self.stem(x))))).mean([2, 3, 4]))


class TransposedDepthwise(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = nn.Conv2DTranspose(8, 8, 4, stride=2, padding=1, groups=8), conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.relu(self.a(x)))


class TransposedDepthwiseMultiplier(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = nn.Conv2DTranspose(8, 24, 2, stride=2, groups=8), conv(24, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.relu(self.a(x)))


class Deformable(Net):
    """DCNv2: what says where to sample and how much of it stays, the rest goes."""

    def __init__(self, groups: int = 1, parts: int = 1) -> None:
        super().__init__(6)
        self.offset, self.mask = conv(8, 18 * parts), conv(8, 9 * parts)
        self.a = DeformConv2D(8, 8, 3, padding=1, groups=groups, deformable_groups=parts)
        self.b = conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.relu(self.a(x, self.offset(x), F.sigmoid(self.mask(x)))))


CASES = (
    Case(Conv1DGrouped, {"stem": 4, "a": 3}, ((3, 16),), compiled=True),
    Case(Conv1DDepthwise, {"stem": 8, "b": 6}, ((3, 16),)),
    Case(Conv3DGrouped, {"stem": 4, "a": 3}, ((3, 4, 4, 4),)),
    Case(Conv3DDepthwise, {"stem": 8, "b": 6}, ((3, 4, 4, 4),)),
    Case(ChannelsLast, {"stem": 8, "a": 8}, ((8, 8, 3),), compiled=True),
    Case(partial(ChannelsLast, 8), {"stem": 8}, ((8, 8, 3),), label="ChannelsLastDepthwise"),
    Case(partial(ChannelsLast, 2), {"stem": 4, "a": 4}, ((8, 8, 3),), label="ChannelsLastGrouped"),
    Case(GroupedChain, {"stem.0": 4, "a": 2, "b": 4}, compiled=True),
    Case(Dilated, {"stem.0": 8}),
    Case(Asymmetric, {"stem.0": 8, "a": 8, "b": 6}),
    Case(OneChannelImage, {"stem": 8, "a": "as one unit", "b": 8}, ((1, 8, 8),)),
    Case(DepthwiseOnImage, {"pointwise": 8, "a": 6}),
    Case(Separable, {"stem.0": 8, "c": 6}),
    Case(FunctionalDepthwise, {"stem.0": 8}),
    Case(FunctionalDepthwiseHardCoded, {"a": 8}, hard_coded={"stem.0": "hard-codes its width"}),
    Case(Functional, {"stem.0": 8, "kernel": 3, "grouped": 2}),
    Case(CircularPadding, {"stem.0": 8, "a": 8, "b": 6}),
    Case(WeightNorm, {"stem.0": 8, "c": 6, "a": "remove_weight_norm", "b.weight_v": "remove_weight_norm"}),
    Case(Transposed1D, {"stem": 8, "a": 3, "b": 3}, ((3, 16),)),
    Case(Transposed2D, {"stem.0": 8, "a": 6, "b": 6}, compiled=True),
    Case(Transposed3D, {"stem": 8, "a": 2, "b": 2}, ((3, 4, 4, 4),)),
    Case(TransposedDepthwise, {"stem.0": 8, "b": 6}),
    Case(TransposedDepthwiseMultiplier, {"stem.0": 8, "b": 6}),
    Case(
        Deformable,
        {"stem.0": 8, "offset": "samples where it says", "mask": "samples where it says", "a": 8, "b": 6},
    ),
    Case(
        partial(Deformable, 2, 2),
        {"stem.0": 4, "offset": "samples where it says", "mask": "samples where it says", "a": 4, "b": 6},
        label="DeformableGrouped",
    ),
)
