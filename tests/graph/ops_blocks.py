"""Blocks as people write them for detection, segmentation and reading text."""

from __future__ import annotations

from functools import partial
from typing import Any

import paddle
import paddle.nn.functional as F  # noqa: N812
from networks import conv
from ops_support import Case, Net, Tokens
from paddle import nn

LAYER_NORM = (8, "layer_norm")


class SplitByAttribute(Net):
    """A cross-stage block whose forward splits by a width that its layer holds."""

    def __init__(self) -> None:
        super().__init__(6)
        self.c = 5
        self.enter, self.leave = conv(8, 10, 1), conv(20, 6, 1)
        self.steps = nn.LayerList([conv(5, 5), conv(5, 5)])

    def body(self, x: Any) -> Any:
        parts = list(self.enter(x).split([self.c, self.c], axis=1))
        for step in self.steps:
            parts.append(parts[-1] + F.silu(step(parts[-1])))
        return self.leave(paddle.concat(parts, axis=1))


class ReshapedByAttribute(nn.Layer):
    """The attribute is the number of all features, several to a channel; another one only looks like it."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.coincidence = 32, 8
        self.stem, self.a, self.head = conv(3, 8), nn.Linear(32, 6), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        x = F.relu(F.adaptive_avg_pool2d(self.stem(x), 2))
        return self.head(F.relu(self.a(x.reshape([-1, self.features]))))


class OneAttributeForTwo(Net):
    """What counts the channels of two groups at once can follow neither of them."""

    def __init__(self) -> None:
        super().__init__(6)
        self.c = 8
        self.a, self.b, self.out = conv(8, 8), conv(8, 8), conv(16, 6)

    def body(self, x: Any) -> Any:
        n, _, h, w = x.shape
        a, b = (f(x).reshape([n, self.c, h, w]) for f in (self.a, self.b))
        return self.out(paddle.concat([F.relu(a), F.relu(b)], axis=1))


class Pyramid(Net):
    """Features of two sizes, upsampled, concatenated, downsampled and concatenated again."""

    def __init__(self) -> None:
        super().__init__(6)
        self.down, self.deep = conv(8, 10, stride=2), conv(10, 12)
        self.up, self.again = conv(20, 8), conv(8, 8, stride=2)
        self.out = conv(20, 6)

    def body(self, x: Any) -> Any:
        deep = F.relu(self.deep(F.relu(self.down(x))))
        fine = F.relu(self.up(paddle.concat([F.interpolate(deep, scale_factor=2), x], axis=1)))
        return self.out(paddle.concat([self.again(fine), deep], axis=1))


class FusionWeights(Net):
    """Two branches by learned weights that sum to one."""

    def __init__(self) -> None:
        super().__init__(6)
        self.w = self.create_parameter([2], default_initializer=nn.initializer.Constant(0.7))
        self.a, self.b = conv(8, 8, stride=2), conv(8, 6)

    def body(self, x: Any) -> Any:
        w = F.relu(self.w)
        w = w / (w.sum() + 1e-4)
        return self.b(w[0] * x + w[1] * F.interpolate(self.a(x), scale_factor=2))


class Coordinates(Net):
    """Two maps of coordinates beside the channels."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(10, 6), conv(6, 6)

    def body(self, x: Any) -> Any:
        n, _, h, w = x.shape
        grid = paddle.stack(paddle.meshgrid(paddle.linspace(-1, 1, h), paddle.linspace(-1, 1, w)))
        return self.b(F.relu(self.a(paddle.concat([x, grid.unsqueeze(0).expand([n, 2, h, w])], axis=1))))


class Ghost(Net):
    """Cheap channels beside costly ones; the slice takes all of them."""

    def __init__(self) -> None:
        super().__init__(6)
        self.width = 8
        self.a, self.cheap, self.b = conv(8, 4, 1), conv(4, 4, groups=4), conv(8, 6)

    def body(self, x: Any) -> Any:
        x = F.relu(self.a(x))
        return self.b(paddle.concat([x, F.relu(self.cheap(x))], axis=1)[:, : self.width])


class Recurrent(nn.Layer):
    """Columns of an image, read as a sequence."""

    def __init__(self, kind: Any = nn.LSTM, columns: int = 4, **options: Any) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 8, 3, padding=1), nn.BatchNorm2D(8), nn.ReLU(), nn.MaxPool2D(2))
        self.columns = kind(8 * columns, 6, **options)
        self.head = nn.Linear(6 * self.columns.num_directions, 5)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        return self.head(self.columns(x.flatten(1, 2).transpose([0, 2, 1]))[0])


class Translator(nn.Layer):
    """One recurrent layer begins with the last states of another, and is compared with what that gave."""

    def __init__(self, kind: Any = nn.LSTM, silent: bool = True) -> None:
        super().__init__()
        self.patch, self.silent = nn.Conv1D(3, 8, 3), silent
        self.one, self.other, self.head = kind(8, 6), kind(6, 6), nn.Linear(4, 5)

    def forward(self, x: Any) -> Any:
        seen, states = self.one(F.relu(self.patch(x)).transpose([0, 2, 1]))
        said, _ = self.other(seen, states)
        if not self.silent:
            seen, said = F.sigmoid(seen), F.sigmoid(said)
        return self.head((said @ seen.transpose([0, 2, 1]))[:, :, :4])


class Started(nn.Layer):
    """States that begin with ones, and are learned; the last ones are read, and the input beside the output."""

    def __init__(self) -> None:
        super().__init__()
        self.width, self.first = 6, self.create_parameter([2, 1, 6])
        self.patch, self.rnn = nn.Conv1D(3, 6, 3), nn.LSTM(6, 6, num_layers=2)
        self.a, self.b = nn.Linear(6, 5), nn.Linear(12, 5)

    def forward(self, x: Any) -> Any:
        x, n = self.patch(x).transpose([0, 2, 1]), x.shape[0]
        start = self.first.expand([-1, n, -1]), paddle.ones([2, n, self.width])
        y, (hidden, _) = self.rnn(x, start)
        return self.a(x + y).mean(1) + self.b(hidden.transpose([1, 0, 2]).flatten(1))


class Cells(nn.Layer):
    """A recurrent cell, one step after the other."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.patch, self.cell, self.head = nn.Conv1D(3, 8, 3), kind(8, 6), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        states = None
        for step in F.relu(self.patch(x)).unbind(2):
            out, states = self.cell(step, states)
        return self.head(out)


class Attention(nn.Layer):
    """Its forward asks the tensors for what it needs, or computes the heads' width from another stream's."""

    def __init__(self, asks: bool) -> None:
        super().__init__()
        self.asks, self.num_heads, self.qkv, self.proj = asks, 4, nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        n, count, width = x.shape
        each = -1 if self.asks else width // self.num_heads
        q, k, v = self.qkv(x).reshape([n, count, 3, self.num_heads, each]).transpose([2, 0, 3, 1, 4]).unbind(0)
        weights = F.softmax(q @ k.transpose([0, 1, 3, 2]) * 2**-0.5)
        return self.proj((weights @ v).transpose([0, 2, 1, 3]).reshape([n, count, -1 if self.asks else width]))


class VisionTransformer(Tokens):
    """With a class token and learned positions."""

    def __init__(self, asks: bool = True) -> None:
        super().__init__()
        self.token, self.positions = self.create_parameter([1, 1, 8]), self.create_parameter([1, 17, 8])
        self.norm, self.attention = nn.LayerNorm(8), Attention(asks)

    def body(self, x: Any) -> Any:
        x = paddle.concat([self.token.expand([x.shape[0], -1, -1]), x], axis=1) + self.positions
        return x + self.attention(self.norm(x))


class Windows(Tokens):
    """Attention within shifted windows, with a learned bias for each offset and head."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention(asks=True)

    def body(self, x: Any) -> Any:
        n, count, _ = x.shape
        x = paddle.roll(x.reshape([n, 4, 4, -1]), [-1, -1], axis=[1, 2])
        x = x.reshape([n, 2, 2, 2, 2, x.shape[-1]]).transpose([0, 1, 3, 2, 4, 5]).reshape([n * 4, 4, -1])
        x = self.attention(x)
        x = x.reshape([n, 2, 2, 2, 2, x.shape[-1]]).transpose([0, 1, 3, 2, 4, 5]).reshape([n, 4, 4, -1])
        return paddle.roll(x, [1, 1], axis=[1, 2]).reshape([n, count, -1])


class Queries(Tokens):
    """Learned queries that look at an image; a sum of two parameters, and products with them."""

    def __init__(self) -> None:
        super().__init__()
        self.queries, self.kinds = self.create_parameter([1, 5, 6]), self.create_parameter([1, 1, 6])
        self.q, self.k, self.v = nn.Linear(6, 10), nn.Linear(8, 10), nn.Linear(8, 8)

    def body(self, x: Any) -> Any:
        q = self.q(self.queries + self.kinds)
        return F.softmax(q @ self.k(x).transpose([0, 2, 1])) @ self.v(x)


RECURRENT: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("lstm", nn.LSTM, {}),
    ("lstm_both_ways", nn.LSTM, {"direction": "bidirect", "num_layers": 2}),
    ("gru_of_two_layers", nn.GRU, {"num_layers": 2}),
    ("simple_rnn", nn.SimpleRNN, {"activation": "relu"}),
)

CASES = (
    Case(SplitByAttribute, {"stem.0": 8, "enter": 5, "leave": 6}, compiled=True),
    Case(ReshapedByAttribute, {"stem": 8, "a": 6}),
    Case(
        OneAttributeForTwo,
        {"stem.0": 8, "out": 6},
        hard_coded={"a": "hard-codes its width", "b": "hard-codes its width"},
    ),
    Case(Pyramid, {"stem.0": 8, "down": 10, "deep": 12, "up": 8, "again": 8, "out": 6}, compiled=True),
    Case(FusionWeights, {"stem.0": 8, "b": 6}, compiled=True),
    Case(Coordinates, {"stem.0": 8, "a": 6, "b": 6}, compiled=True),
    Case(Ghost, {"stem.0": 8, "a": 4, "b": 6}, compiled=True),
    *(
        Case(
            partial(Recurrent, kind, **options),
            {"stem.0": 8, "columns.weight_ih_l0": 6},
            compiled=True,
            label=name,
        )
        for name, kind, options in RECURRENT
    ),
    *(
        Case(partial(Translator, kind), {"patch": 8, "one.weight_ih_l0": 6}, ((3, 8),), compiled=True, label=name)
        for name, kind in (("lstm_begins_where_one_ends", nn.LSTM), ("gru_begins_where_one_ends", nn.GRU))
    ),
    Case(
        partial(Translator, silent=False),
        {"patch": 8, "one.weight_ih_l0": "can't be silenced"},
        ((3, 8),),
        label="loud",
    ),
    Case(Started, {"patch": 6}, ((3, 8),), compiled=True),
    Case(partial(Cells, nn.SimpleRNNCell), {"patch": 8, "cell.weight_ih": "used twice"}, ((3, 6),), label="rnn_cell"),
    Case(partial(Cells, nn.LSTMCell), {"patch": 8, "cell.weight_ih": "used twice"}, ((3, 6),), label="lstm_cell"),
    Case(VisionTransformer, {"attention.qkv": 4}, inexact={"patch": LAYER_NORM}),
    Case(VisionTransformer, {"attention.qkv": 2}, inexact={"patch": LAYER_NORM}, attention="dims"),
    Case(Windows, {"patch": 8, "attention.qkv": 4, "attention.proj": 8}),
    Case(Queries, {"patch": 8, "q": 10, "v": 8}),
)
