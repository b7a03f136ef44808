"""Forwards that write widths elsewhere than in `reshape`: in slices, in what they make or repeat, and in helpers."""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F  # noqa: N812
from networks import conv
from ops_support import Case, Net, Tokens
from paddle import nn


class Front(Net):
    """Some channels at the front are convolved, the rest stays."""

    def __init__(self) -> None:
        super().__init__(6)
        self.touched = 3
        self.a, self.b = conv(3, 3), conv(8, 6, 1)

    def body(self, x: Any) -> Any:
        y = self.a(x[:, : self.touched])
        return F.relu(self.b(paddle.concat([y, x[:, self.touched :]], axis=1)))


class FromTheBack(Net):
    """Bounds from the end and in the middle, of a result that has no name."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b, self.c, self.d = conv(8, 10), conv(4, 6, 1), conv(3, 6, 1), conv(2, 6, 1)

    def body(self, x: Any) -> Any:
        y = F.relu(self.a(x))
        return self.b(y[:, :-6, ...]) + self.c(self.a(x)[:, 5:8]) + self.d(y[:, -2:])


class InPlace(Net):
    """A branch is added to the first channels of another one."""

    def __init__(self) -> None:
        super().__init__(10)
        self.a, self.b = conv(8, 10), conv(8, 4)

    def body(self, x: Any) -> Any:
        y, z = self.a(x), self.b(x)
        y[:, : z.shape[1]] += z
        return F.relu(y)


class PutTogether(Net):
    """Zeros are filled part by part."""

    def __init__(self) -> None:
        super().__init__(10)
        self.a, self.b = conv(8, 3), conv(8, 7)

    def body(self, x: Any) -> Any:
        y = paddle.zeros([x.shape[0], 10, x.shape[2], x.shape[3]])
        y[:, :3] = self.a(x)
        y[:, 3:, :, :] = F.relu(self.b(x))
        return y


class Widened(Net):
    """A shortcut is widened with zeros."""

    def __init__(self) -> None:
        super().__init__(12)
        self.more = 4
        self.a = conv(8, 12)

    def body(self, x: Any) -> Any:
        n, _, h, w = x.shape
        return F.relu(self.a(x) + paddle.concat([x, paddle.zeros([n, self.more, h, w])], axis=1))


class Repeated(Net):
    """One map of weights for all channels, repeated in two ways; and ones beside channels."""

    def __init__(self) -> None:
        super().__init__(11)
        self.a, self.one = conv(8, 8), conv(8, 1, 1)

    def body(self, x: Any) -> Any:
        n, _, h, w = x.shape
        weights = F.sigmoid(self.one(x))
        y = self.a(x) * weights.expand([n, 8, h, w]) + paddle.tile(weights, [1, 8, 1, 1])
        return paddle.concat([y * paddle.broadcast_to(weights, [n, 8, h, w]), paddle.ones((n, 3, h, w))], axis=1)


class Gates(Net):
    """A cell with a state that convolves, run three times: its gates are quarters, its first state is zeros."""

    def __init__(self) -> None:
        super().__init__(5)
        self.hidden = 5
        self.gates = conv(8 + 5, 20)

    def body(self, x: Any) -> Any:
        n, _, height, width = x.shape
        h, c = (paddle.zeros([n, self.hidden, height, width]) for _ in range(2))
        for _ in range(3):
            i, f, o, g = paddle.split(self.gates(paddle.concat([x, h], axis=1)), 4, axis=1)
            c = F.sigmoid(f) * c + F.sigmoid(i) * F.tanh(g)
            h = F.sigmoid(o) * F.tanh(c)
        return h


class OneCallForTwo(Net):
    """One call makes a size that counts other channels each time it runs: it can't be told."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 6), conv(8, 6)
        self.c, self.d = conv(6, 6, 1), conv(6, 6, 1)

    def body(self, x: Any) -> Any:
        ones = paddle.ones([x.shape[0], 1, 1, 1])
        y, z = (F.relu(one(x) + paddle.tile(ones, [1, 6, 1, 1])) for one in (self.a, self.b))
        return self.c(y) + self.d(z)


def tokens_of(x: Any, width: int) -> Any:
    """[N, C, H, W] -> [N, H W, C]."""
    return x.reshape([x.shape[0], width, -1]).transpose([0, 2, 1])


def image_of(x: Any, height: int) -> Any:
    """[N, H W, C] -> [N, C, H, W]."""
    count, width = x.shape[1:]
    return _folded(x.transpose([0, 2, 1]), width, height, count // height)


_SEEN: dict[str, Any] = {}


def _folded(x: Any, *sizes: int) -> Any:
    _SEEN["sizes"] = sizes  # not its own: nothing that is rewritten may make it so
    return x.reshape([x.shape[0], *sizes])


class Helped(Net):
    """Functions outside of the layer write sizes, called twice with different channels."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b, self.c = nn.Linear(8, 10), nn.Linear(10, 8), conv(8, 6)

    def body(self, x: Any) -> Any:
        y = self.a(tokens_of(x, 8))
        y = tokens_of(F.relu(image_of(y, 8)), 10)
        return self.c(image_of(self.b(y), x.shape[2]))


def windows(x: Any, size: int) -> Any:
    """[N, H, W, C] -> [N windows, size size, C]."""
    n, height, width, channels = x.shape
    x = x.reshape([n, height // size, size, width // size, size, channels])
    return x.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, size * size, channels])


def from_windows(x: Any, size: int, height: int, width: int) -> Any:
    """The inverse."""
    channels = x.shape[-1]
    x = x.reshape([-1, height // size, width // size, size, size, channels])
    return x.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, height * width, channels])


def heads_of(x: Any, heads: int) -> Any:
    """[N, L, C] -> [N, heads, L, C / heads]."""
    n, count, width = x.shape
    return x.reshape([n, count, heads, width // heads]).transpose([0, 2, 1, 3])


class HelpedWindows(Tokens):
    """Attention within windows, all of its reshapes in helpers."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.proj = (nn.Linear(8, 8) for _ in range(4))

    def body(self, x: Any) -> Any:
        n, _, width = x.shape
        x = windows(x.reshape([n, 4, 4, width]), 2)
        q, k, v = (heads_of(part(x), 4) for part in (self.q, self.k, self.v))
        y = F.softmax(paddle.matmul(q, k, transpose_y=True) * 0.5) @ v
        return from_windows(self.proj(y.transpose([0, 2, 1, 3]).flatten(2)), 2, 4, 4)


CASES = (
    Case(Front, {"stem.0": 8, "a": 3, "b": 6}, compiled=True),
    Case(FromTheBack, {"stem.0": 8, "a": 10, "b": 6}),
    Case(InPlace, {"stem.0": 8, "a": 10}, compiled=True),
    Case(PutTogether, {"stem.0": 8, "a": 3, "b": 7}),
    Case(Widened, {"stem.0": 12}, compiled=True),
    Case(Repeated, {"stem.0": 8, "a": 8, "one": "as one unit"}),
    Case(Gates, {"stem.0": 8, "gates": 5}),
    Case(OneCallForTwo, {"stem.0": 8, "c": 6, **dict.fromkeys("ab", "a size in body.tile[0] counts them, and other")}),
    Case(Helped, {"stem.0": 8, "a": 10, "b": 8, "c": 6}),
    *(
        Case(HelpedWindows, {"patch": 8, "q": n, **v, "proj": 8}, attention=a)
        for n, v, a in ((4, {}, "heads"), (2, {"v": 2}, "dims"))
    ),
)
