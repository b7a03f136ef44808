"""Small networks, one for each way in which channels meet."""

from __future__ import annotations

from functools import partial
from typing import Any

import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import nn


def conv(i: int, o: int, k: int = 3, **kw: Any) -> nn.Layer:
    """A convolution that keeps height and width."""
    return nn.Conv2D(i, o, k, padding=k // 2, **kw)


class Net(nn.Layer):
    """A body, global pooling and a linear head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8), nn.BatchNorm2D(8), nn.ReLU())
        self.head = nn.Linear(width, 5)

    def body(self, x: Any) -> Any:
        raise AssertionError("a network says what its body is")

    def forward(self, x: Any) -> Any:
        return self.head(F.adaptive_avg_pool2d(self.body(self.stem(x)), 1).flatten(1))


class Residual(Net):
    def __init__(self) -> None:
        super().__init__(8)
        self.a, self.b = conv(8, 6), conv(6, 8, bias_attr=False)

    def body(self, x: Any) -> Any:
        return F.relu(x + self.b(F.relu(self.a(x))))


class Concat(Net):
    def __init__(self) -> None:
        super().__init__(14)
        self.a, self.b = conv(8, 6), nn.BatchNorm2D(14)

    def body(self, x: Any) -> Any:
        return self.b(paddle.concat([x, self.a(x)], axis=1))


class Depthwise(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 8, groups=8), conv(8, 6, 1)

    def body(self, x: Any) -> Any:
        return self.b(F.relu6(self.a(x)))


class DepthwiseMultiplier(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 24, groups=8), conv(24, 6, 1)

    def body(self, x: Any) -> Any:
        return self.b(F.relu(self.a(x)))


class Grouped(Net):
    def __init__(self) -> None:
        super().__init__(12)
        self.a = conv(8, 12, groups=4)

    def body(self, x: Any) -> Any:
        return F.hardswish(self.a(x))


class ConcatIntoGroupedAndResidual(Net):
    def __init__(self) -> None:
        super().__init__(16)
        self.a, self.b, self.c = conv(8, 8), conv(16, 16, groups=4), conv(16, 16, 1)

    def body(self, x: Any) -> Any:
        y = paddle.concat([x, self.a(x)], axis=1)
        return y + self.c(self.b(y))


class Shuffle(Net):
    def __init__(self) -> None:
        super().__init__(8)
        self.a, self.b = conv(4, 4), conv(8, 8, 1)

    def body(self, x: Any) -> Any:
        left, right = paddle.split(x, 2, axis=1)
        y = paddle.concat([left, self.a(right)], axis=1)
        n, c, h, w = y.shape
        y = y.reshape([n, 2, c // 2, h, w]).transpose([0, 2, 1, 3, 4]).reshape([n, c, h, w])
        return self.b(y)


class SqueezeExcitation(Net):
    def __init__(self) -> None:
        super().__init__(8)
        self.down, self.up = conv(8, 4, 1), conv(4, 8, 1)

    def body(self, x: Any) -> Any:
        return x * F.sigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))


class SpatialGate(Net):
    def __init__(self) -> None:
        super().__init__(8)
        self.gate, self.a = conv(8, 1), conv(8, 8)

    def body(self, x: Any) -> Any:
        return self.a(x * F.sigmoid(self.gate(x)))


class OneFilter(Net):
    def __init__(self) -> None:
        super().__init__(4)
        self.a, self.b = conv(8, 1), conv(1, 4)

    def body(self, x: Any) -> Any:
        return self.b(self.a(x))


class FlattenLinear(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.fc, self.head = conv(3, 6), nn.Linear(6 * 16 * 16, 10), nn.Linear(10, 3)

    def forward(self, x: Any) -> Any:
        return self.head(F.tanh(self.fc(self.a(x).flatten(1))))


class PReluAndScale(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.act = conv(8, 6), nn.PReLU(6)
        self.scale = self.create_parameter([1, 6, 1, 1])

    def body(self, x: Any) -> Any:
        return self.act(self.a(x)) * self.scale


class Transposed(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = nn.Conv2DTranspose(8, 6, 2, stride=2), conv(6, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.relu(self.a(x)))


class TransposedGrouped(Net):
    def __init__(self) -> None:
        super().__init__(8)
        self.a = nn.Conv2DTranspose(8, 8, 2, stride=2, groups=2)

    def body(self, x: Any) -> Any:
        return F.relu(self.a(x))


class SharedLayer(Net):
    def __init__(self) -> None:
        super().__init__(8)
        self.a = conv(8, 8)

    def body(self, x: Any) -> Any:
        return F.relu(self.a(F.relu(self.a(x))))


class TwoHeads(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.b = conv(3, 8), conv(8, 4), conv(8, 6)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.stem(x))
        return {"near": self.a(x), "far": [self.b(F.max_pool2d(x, 2)), None]}


class SoftmaxOverChannels(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 6), conv(6, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.softmax(self.a(x), axis=1))


class MeanOverChannels(Net):
    def __init__(self) -> None:
        super().__init__(8)
        self.a = conv(8, 6)

    def body(self, x: Any) -> Any:
        return x * self.a(x).mean(axis=1, keepdim=True)


class NoRule(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 6), conv(6, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.temporal_shift(self.a(x), 1))


six_channels = partial(paddle.reshape, shape=[-1, 6, 16, 16])
six_of_any_size = partial(paddle.reshape, shape=[0, 6, -1, 0])
"""Nothing that has a source: nobody can tell it otherwise."""


class HardCoded(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 6), conv(6, 6)

    def body(self, x: Any) -> Any:
        return self.b(six_channels(self.a(x)))


class HardCodedForLargeImages(HardCoded):
    def body(self, x: Any) -> Any:
        made = self.a(x)
        return self.b(six_of_any_size(made) if x.shape[2] > 100 else made)


EXACT: tuple[type[nn.Layer], ...] = (
    Residual,
    Concat,
    Depthwise,
    DepthwiseMultiplier,
    Grouped,
    ConcatIntoGroupedAndResidual,
    Shuffle,
    SqueezeExcitation,
    SpatialGate,
    OneFilter,
    FlattenLinear,
    PReluAndScale,
    Transposed,
    TransposedGrouped,
    SharedLayer,
    TwoHeads,
    SoftmaxOverChannels,
    MeanOverChannels,
    NoRule,
)
