"""Normalization: whose statistics change with the channels, and whose don't."""

from __future__ import annotations

from functools import partial
from typing import Any

import paddle
import paddle.nn.functional as F  # noqa: N812
from networks import conv
from ops_support import Case, Net, Tokens
from paddle import nn


class Normalized(Net):
    """A convolution, a norm, another convolution."""

    def __init__(self, norm: Any) -> None:
        super().__init__(6)
        self.a, self.norm, self.b = conv(8, 8), norm(), conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.gelu(self.norm(self.a(x))))


class NormalizedTokens(Tokens):
    """A linear layer, a norm over its channels, another linear layer."""

    def __init__(self, norm: Any) -> None:
        super().__init__(6)
        self.a, self.norm, self.b = nn.Linear(8, 8), norm(), nn.Linear(8, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.gelu(self.norm(self.a(x))))


class NormalizedByKeyword(NormalizedTokens):
    def body(self, x: Any) -> Any:
        return self.b(F.gelu(self.norm(input=self.a(x))))


class NormalizedSequence(nn.Layer):
    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Conv1D(3, 8, 3), norm(), nn.Conv1D(8, 6, 3)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(F.relu(self.b(F.relu(self.norm(self.a(x))))).mean(-1))


class NormalizedVolume(nn.Layer):
    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Conv3D(3, 8, 3), norm(), nn.Conv3D(8, 6, 1)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(F.relu(self.b(F.relu(self.norm(self.a(x))))).mean([2, 3, 4]))


class LayerNormOfImages(nn.Layer):
    """ConvNeXt's, written out: mean and variance over the second of four axes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = self.create_parameter([8]), self.create_parameter([8], is_bias=True)

    def forward(self, x: Any) -> Any:
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / paddle.sqrt(variance + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class RootMeanSquare(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.weight = self.create_parameter([8])

    def forward(self, x: Any) -> Any:
        return self.weight * x * paddle.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class ResponseNorm(nn.Layer):
    """ConvNeXt V2's: each channel's norm over space by the mean of all channels'."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma, self.beta = self.create_parameter([1, 8, 1, 1]), self.create_parameter([1, 8, 1, 1], is_bias=True)

    def forward(self, x: Any) -> Any:
        size = paddle.sqrt((x * x).sum([2, 3], keepdim=True))
        return self.gamma * (x * (size / (size.mean(1, keepdim=True) + 1e-6))) + self.beta + x


class UnitLength(Net):
    """F.normalize over channels: a silenced channel adds nothing to the length."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 8), conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.normalize(F.relu(self.a(x)), axis=1))


class UnitLengthOfGates(Net):
    """The same of what isn't zero when all that makes it is."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 8), conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.normalize(F.sigmoid(self.a(x)), axis=1))


class LearnedLength(Net):
    """SSD's L2Norm: unit length over channels, times a learned scale."""

    def __init__(self) -> None:
        super().__init__(8)
        self.scale = self.create_parameter([8])

    def body(self, x: Any) -> Any:
        length = x.pow(2).sum(axis=1, keepdim=True).sqrt() + 1e-10
        return self.scale.unsqueeze(0).unsqueeze(2).unsqueeze(3) * (x / length)


class PreNorm(Net):
    """A residual stream that group norms read."""

    def __init__(self) -> None:
        super().__init__(8)
        self.norm, self.a, self.b = nn.GroupNorm(2, 8), conv(8, 6), conv(6, 8)

    def body(self, x: Any) -> Any:
        return x + self.b(F.relu(self.a(F.silu(self.norm(x)))))


EXACT = {"stem.0": 8, "a": 8, "b": 6}
REST = {"stem.0": 8, "b": 6}
TOKENS = {"patch": 8, "b": 6}
LAYER = {"a": (8, "layer_norm")}
CASES = (
    Case(partial(Normalized, lambda: nn.BatchNorm2D(8)), EXACT, label="BatchNorm"),
    Case(
        partial(Normalized, lambda: nn.BatchNorm2D(8, weight_attr=False, bias_attr=False)),
        EXACT,
        label="BatchNormPlain",
    ),
    Case(partial(Normalized, lambda: nn.BatchNorm(8, act="relu")), EXACT, label="BatchNormWithActivation"),
    Case(partial(NormalizedSequence, lambda: nn.BatchNorm1D(8)), {"a": 8, "b": 6}, ((3, 16),), label="BatchNorm1D"),
    Case(partial(NormalizedVolume, lambda: nn.BatchNorm3D(8)), {"a": 8, "b": 6}, ((3, 4, 4, 4),), label="BatchNorm3D"),
    Case(partial(Normalized, lambda: nn.InstanceNorm2D(8)), EXACT, compiled=True, label="InstanceNorm"),
    Case(
        partial(Normalized, lambda: nn.InstanceNorm2D(8, weight_attr=False, bias_attr=False)),
        EXACT,
        label="InstanceNormPlain",
    ),
    Case(
        partial(NormalizedSequence, lambda: nn.InstanceNorm1D(8)), {"a": 8, "b": 6}, ((3, 16),), label="InstanceNorm1D"
    ),
    Case(
        partial(NormalizedVolume, lambda: nn.InstanceNorm3D(8)),
        {"a": 8, "b": 6},
        ((3, 4, 4, 4),),
        label="InstanceNorm3D",
    ),
    Case(partial(Normalized, lambda: nn.GroupNorm(2, 8)), REST, inexact={"a": (4, "group_norm")}, label="GroupNorm"),
    Case(
        partial(Normalized, lambda: nn.GroupNorm(2, 8, weight_attr=False, bias_attr=False)),
        REST,
        inexact={"a": (4, "group_norm")},
        label="GroupNormPlain",
    ),
    Case(partial(Normalized, lambda: nn.GroupNorm(1, 8)), REST, inexact={"a": (8, "group_norm")}, label="OneGroupNorm"),
    Case(partial(Normalized, lambda: nn.GroupNorm(8, 8)), EXACT, compiled=True, label="GroupNormOfEachChannel"),
    Case(
        partial(Normalized, lambda: nn.GroupNorm(8, 8, weight_attr=False, bias_attr=False)),
        EXACT,
        label="GroupNormOfEachChannelPlain",
    ),
    Case(
        partial(NormalizedSequence, lambda: nn.GroupNorm(4, 8)),
        {"b": 6},
        ((3, 16),),
        inexact={"a": (2, "group_norm")},
        label="GroupNorm1D",
    ),
    Case(partial(Normalized, lambda: nn.LayerNorm([8, 8, 8])), REST, inexact=LAYER, label="LayerNormOfImage"),
    Case(partial(Normalized, lambda: nn.LayerNorm([8, 8])), EXACT, label="LayerNormOverSpace"),
    Case(partial(NormalizedTokens, lambda: nn.LayerNorm(8)), TOKENS, inexact=LAYER, label="LayerNorm"),
    Case(
        partial(NormalizedTokens, lambda: nn.LayerNorm(8, weight_attr=False, bias_attr=False)),
        TOKENS,
        inexact=LAYER,
        label="LayerNormPlain",
    ),
    Case(
        partial(NormalizedByKeyword, lambda: nn.LayerNorm(8, weight_attr=False, bias_attr=False)),
        TOKENS,
        inexact=LAYER,
        label="LayerNormPlainByKeyword",
    ),
    Case(
        partial(Normalized, LayerNormOfImages),
        REST,
        inexact={"a": (8, "mean over the channel axis")},
        label="LayerNorm2D",
    ),
    Case(
        partial(NormalizedTokens, RootMeanSquare),
        TOKENS,
        inexact={"a": (8, "mean over the channel axis")},
        label="RMSNorm",
    ),
    Case(
        partial(Normalized, ResponseNorm), REST, inexact={"a": (8, "mean over the channel axis")}, label="ResponseNorm"
    ),
    Case(
        partial(Normalized, lambda: nn.LocalResponseNorm(3)),
        {**REST, "a": "mixes positions"},
        label="LocalResponseNorm",
    ),
    Case(UnitLength, EXACT, compiled=True),
    Case(UnitLengthOfGates, {**REST, "a": "can't be silenced"}),
    Case(LearnedLength, {"stem.0": 8}),
    Case(PreNorm, {"a": 6}, inexact={"stem.0": (4, "group_norm")}),
)
