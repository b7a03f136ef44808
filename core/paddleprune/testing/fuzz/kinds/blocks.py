"""Steps that are layers of several parts: attention, gates, nested sequences."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812

from paddleprune.testing.fuzz.kinds.kind import KINDS, Choices, Kind, Shape, always, divisors, layer, rank


class SqueezeExcite(nn.Layer):
    """A gate a channel, computed from all of them."""

    def __init__(self, channels: int, squeezed: int, linear: bool) -> None:
        super().__init__()
        self.down = nn.Linear(channels, squeezed) if linear else nn.Conv2D(channels, squeezed, 1)
        self.up = nn.Linear(squeezed, channels) if linear else nn.Conv2D(squeezed, channels, 1)
        self.linear = linear

    def forward(self, x: Any) -> Any:
        """[N, C, H, W] -> the same shape."""
        if self.linear:
            y = F.sigmoid(self.up(F.relu(self.down(x.mean([2, 3])))))
            return x * y.reshape([y.shape[0], y.shape[1], 1, 1])
        return x * F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))


@layer(rank(4, squeezed=(2, 3), linear=(False, True)), tidy=always)
def squeeze_excite(x: Shape, squeezed: int, linear: bool) -> nn.Layer:
    """Squeeze and excitation."""
    return SqueezeExcite(x[1], squeezed, linear)


class SpatialGate(nn.Layer):
    """A gate a position, out of one filter or of statistics of the channels."""

    def __init__(self, channels: int, statistics: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2D(2 if statistics else channels, 1, 3, padding=1)
        self.statistics = statistics

    def forward(self, x: Any) -> Any:
        """[N, C, H, W] -> the same shape."""
        y = paddle.concat([x.mean(1, keepdim=True), x.max(1, keepdim=True)], 1) if self.statistics else x
        return x * F.sigmoid(self.conv(y))


@layer(rank(4, statistics=(False, True)))
def spatial_gate(x: Shape, statistics: bool) -> nn.Layer:
    """Attention over positions."""
    return SpatialGate(x[1], statistics)


class Attention(nn.Layer):
    """A hand-written self-attention, queries, keys and values in one linear layer or in three."""

    def __init__(self, width: int, heads: int, dim: int, style: str) -> None:
        super().__init__()
        self.num_heads, self.style, self.scale = heads, style, dim**-0.5
        if style == "three":
            self.q, self.k, self.v = (nn.Linear(width, heads * dim) for _ in range(3))
        else:
            self.qkv = nn.Linear(width, 3 * heads * dim)
        self.proj = nn.Linear(heads * dim, width)

    def forward(self, x: Any) -> Any:
        """[N, L, C] -> the same shape."""
        n, length = x.shape[0], x.shape[1]
        if self.style == "three":
            q, k, v = (
                part.reshape([n, length, self.num_heads, -1]).transpose([0, 2, 1, 3])
                for part in (self.q(x), self.k(x), self.v(x))
            )
        else:
            qkv = self.qkv(x).reshape([n, length, 3, self.num_heads, -1]).transpose([2, 0, 3, 1, 4])
            q, k, v = qkv[0], qkv[1], qkv[2]
        weights = F.softmax(paddle.matmul(q, k, transpose_y=True) * self.scale, -1)
        y = paddle.matmul(weights, v).transpose([0, 2, 1, 3])
        return self.proj(y.flatten(2) if self.style == "three" else y.reshape([n, length, -1]))


@layer(rank(3, heads=(1, 2, 3), dim=(2, 3), style=("three", "one")))
def attention(x: Shape, heads: int, dim: int, style: str) -> nn.Layer:
    """Self-attention by hand."""
    return Attention(x[2], heads, dim, style)


class OwnAttention(nn.Layer):
    """Paddle's attention, of a value to itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiHeadAttention(width, heads)

    def forward(self, x: Any) -> Any:
        """[N, L, C] -> the same shape."""
        return self.attention(x, x, x)


@layer(lambda x: {"heads": divisors(x[2])} if len(x) == 3 else None)
def multi_head(x: Shape, heads: int) -> nn.Layer:
    """`paddle.nn.MultiHeadAttention`."""
    return OwnAttention(x[2], heads)


def _transformer(x: Shape) -> Choices | None:
    if len(x) != 3 or x[2] < 2:
        return None
    return {"heads": divisors(x[2]), "hidden": (4, 6), "activation": ("relu", "gelu"), "before": (True, False)}


@layer(_transformer)
def transformer(x: Shape, heads: int, hidden: int, activation: str, before: bool) -> nn.Layer:
    """`paddle.nn.TransformerEncoderLayer`."""
    return nn.TransformerEncoderLayer(x[2], heads, hidden, activation=activation, normalize_before=before)


class Recurrent(nn.Layer):
    """Steps that are read one after the other, from states of zeros, given ones or learned ones on."""

    def __init__(self, rnn: nn.Layer, start: str, gives: str) -> None:
        super().__init__()
        self.rnn, self.start, self.gives = rnn, start, gives
        self.first = self.create_parameter([rnn.num_layers * rnn.num_directions, 1, rnn.hidden_size])

    def forward(self, x: Any) -> Any:
        """[N, L, C] -> [N, L, ways * hidden]; or the last states, [N, layers * ways, hidden]."""
        states: Any = None
        if self.start == "learned":
            states = self.first.expand([-1, x.shape[0], -1])
        elif self.start == "zeros":
            states = paddle.zeros([self.rnn.num_layers * self.rnn.num_directions, x.shape[0], self.rnn.hidden_size])
        if states is not None and isinstance(self.rnn, nn.LSTM):
            states = (states, states)
        outputs, last = self.rnn(x, states)
        if self.gives == "outputs":
            return outputs
        return (last[0] if isinstance(self.rnn, nn.LSTM) else last).transpose([1, 0, 2])


_RECURRENT = {"gru": nn.GRU, "lstm": nn.LSTM, "simple": nn.SimpleRNN}


@layer(
    rank(
        3,
        cell=tuple(_RECURRENT),
        hidden=(4, 3),
        layers=(1, 2),
        direction=("forward", "bidirect"),
        start=("nothing", "zeros", "learned"),
        gives=("outputs", "states"),
    )
)
def recurrent(x: Shape, cell: str, hidden: int, layers: int, direction: str, start: str, gives: str) -> nn.Layer:
    """`paddle.nn.LSTM` and its kind."""
    return Recurrent(_RECURRENT[cell](x[2], hidden, layers, direction), start, gives)


class NonLocal(nn.Layer):
    """Attention of every position of an image to every other."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.theta, self.phi, self.g = (nn.Conv2D(channels, inner, 1) for _ in range(3))
        self.out = nn.Conv2D(inner, channels, 1)

    def forward(self, x: Any) -> Any:
        """[N, C, H, W] -> the same shape."""
        weights = F.softmax(paddle.bmm(self.theta(x).flatten(2).transpose([0, 2, 1]), self.phi(x).flatten(2)), -1)
        y = paddle.bmm(weights, self.g(x).flatten(2).transpose([0, 2, 1])).transpose([0, 2, 1])
        return x + self.out(y.reshape([y.shape[0], y.shape[1], x.shape[2], x.shape[3]]))


@layer(rank(4, inner=(2, 4)))
def non_local(x: Shape, inner: int) -> nn.Layer:
    """Attention over the positions of an image."""
    return NonLocal(x[1], inner)


class Residual(nn.Layer):
    """A sequence and a way around it."""

    def __init__(self, *layers: nn.Layer) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Any) -> Any:
        """The same shape."""
        return x + self.body(x)


def _nested(x: Shape) -> Choices | None:
    return {}


KINDS["sequential"] = Kind(nn.Sequential, _nested, tidy=always, nested=True)
KINDS["residual"] = Kind(Residual, _nested, tidy=always, nested=True)
