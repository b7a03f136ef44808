"""One position at a time: activations, arithmetic, conditions, dropout, gates and learned scales."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import paddle
import paddle.nn.functional as F  # noqa: N812
from networks import conv
from ops_support import Case, Net
from paddle import nn


class Read(Net):
    """What a convolution reads behind a function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__(4)
        self.a, self.function, self.b = conv(8, 6), function, conv(6, 4)

    def body(self, x: Any) -> Any:
        return self.b(self.function(self.a(x)))


class Summed(Net):
    """What a sum over channels reads behind a function: exact only if the function of zero is zero."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__(8)
        self.a, self.function = conv(8, 6), function

    def body(self, x: Any) -> Any:
        return x * self.function(self.a(x)).sum(axis=1, keepdim=True)


ZERO_STAYS: dict[str, Callable[[Any], Any]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate=True),
    "silu": F.silu,
    "swish": F.swish,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "hardtanh": F.hardtanh,
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "softsign": F.softsign,
    "tanh": F.tanh,
    "tanhshrink": F.tanhshrink,
    "thresholded_relu": F.thresholded_relu,
    "rrelu": lambda x: F.rrelu(x, training=False),
    "stanh": paddle.stanh,
    "quick_gelu": lambda x: x * F.sigmoid(1.702 * x),
    "hand_swish": lambda x: x * F.relu6(x + 3) / 6,
    "hand_mish": lambda x: x * F.tanh(F.softplus(x)),
    "square": lambda x: x**2,
    "pow": lambda x: paddle.pow(x, 3.0),
    "sqrt": lambda x: paddle.sqrt(F.relu(x)),
    "abs": paddle.abs,
    "sign": paddle.sign,
    "sin": paddle.sin,
    "erf": paddle.erf,
    "expm1": paddle.expm1,
    "log1p": lambda x: paddle.log1p(F.relu(x)),
    "round": paddle.round,
    "half": lambda x: x / 2,
    "clip": lambda x: paddle.clip(x, -1.0, 1.0),
    "dropout": lambda x: F.dropout(x, 0.5, training=False),
    "dropout2d": lambda x: F.dropout2d(x, 0.5, training=False),
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.5, training=False),
    "downscaled_dropout": lambda x: F.dropout(x, 0.5, training=False, mode="downscale_in_infer"),
    "cast": lambda x: x.astype("float64").astype("float32"),
    "where": lambda x: paddle.where(x > 0, x, 0.1 * x),
    "times_condition": lambda x: x * (x > 0.1).astype("float32"),
    "maximum": lambda x: paddle.maximum(x, 0.1 * x),
    "maximum_of_number": lambda x: paddle.maximum(x, paddle.zeros_like(x)),
    "minus_itself": lambda x: x - x.mean(axis=[2, 3], keepdim=True),
    "by_its_exponential": lambda x: x / paddle.exp(x),
    "detached": lambda x: x.detach(),
    "cloned": lambda x: x.clone(),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0.0),
    "lerp": lambda x: paddle.lerp(x, F.relu(x), 0.3),
    "tril": paddle.tril,
    "flip": lambda x: paddle.flip(x, axis=[3]),
    "roll": lambda x: paddle.roll(x, shifts=[1, 2], axis=[2, 3]),
}
ZERO_MOVES: dict[str, Callable[[Any], Any]] = {
    "sigmoid": F.sigmoid,
    "hardsigmoid": F.hardsigmoid,
    "softplus": F.softplus,
    "log_sigmoid": F.log_sigmoid,
    "exp": paddle.exp,
    "cos": paddle.cos,
    "plus_one": lambda x: x + 1,
    "one_minus": lambda x: 1 - x,
    "reciprocal": lambda x: 1 / (x.abs() + 1),
    "rsqrt": lambda x: paddle.rsqrt(x.abs() + 1),
    "log": lambda x: paddle.log(x.abs() + 1),
    "power_zero": lambda x: paddle.pow(x, 0.0),
    "clip_above": lambda x: paddle.clip(x, min=0.5),
    "where_else_one": lambda x: paddle.where(x > 0, x, paddle.ones_like(x)),
    "masked_fill_one": lambda x: x.masked_fill(x <= 0, 1.0),
    "logit": lambda x: paddle.logit(x.sigmoid() / 2, 1e-3),
    "lgamma": lambda x: paddle.lgamma(x.abs() + 0.5),
    "condition": lambda x: (x <= 0).astype("float32"),
}


class PRelu(Net):
    def __init__(self, slopes: int) -> None:
        super().__init__(4)
        self.a, self.act, self.b = conv(8, 6), nn.PReLU(slopes), conv(6, 4)

    def body(self, x: Any) -> Any:
        return self.b(self.act(self.a(x)))


class PReluLast(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.act, self.head = nn.Linear(12, 6), nn.PReLU(6), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(self.act(self.a(x)))


class Maxout(Net):
    """The larger of two neighbours: they go together."""

    def __init__(self) -> None:
        super().__init__(6)
        self.maxout, self.a = nn.Maxout(2), conv(4, 6)

    def body(self, x: Any) -> Any:
        return self.a(self.maxout(x))


class Dropouts(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv3D(3, 8, 1), nn.Linear(8, 6), nn.Linear(6, 5)
        self.one, self.three, self.alpha = nn.Dropout(0.3), nn.Dropout3D(0.3), nn.AlphaDropout(0.3)

    def forward(self, x: Any) -> Any:
        return self.c(self.alpha(F.relu(self.b(self.one(self.three(self.a(x)).mean([2, 3, 4]))))))


class GatedUnit(Net):
    """F.glu: one half of the channels opens the other."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 12), conv(6, 6)

    def body(self, x: Any) -> Any:
        return self.b(F.glu(self.a(x), axis=1))


class SwiGlu(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 12), conv(6, 6)

    def body(self, x: Any) -> Any:
        gate, value = self.a(x).chunk(2, axis=1)
        return self.b(F.silu(gate) * value)


class ConvolutionalGate(Net):
    """CBAM without its channel statistics: a gate of one channel, spread by expand_as."""

    def __init__(self) -> None:
        super().__init__(6)
        self.gate, self.a = conv(8, 1), conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.a(x * F.sigmoid(self.gate(x)).expand_as(x))


class BroadcastGate(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.gate, self.a = conv(8, 1), conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.a(x * paddle.broadcast_to(F.hardsigmoid(self.gate(x)), x.shape))


class Cbam(Net):
    """Channel attention from mean and largest over space, then spatial attention from those over channels."""

    def __init__(self) -> None:
        super().__init__(6)
        self.down, self.up, self.space, self.a = conv(8, 4, 1), conv(4, 8, 1), conv(2, 1), conv(8, 6)

    def body(self, x: Any) -> Any:
        mean, top = F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)
        x = x * F.sigmoid(self.up(F.relu(self.down(mean))) + self.up(F.relu(self.down(top))))
        y = paddle.concat([x.mean(axis=1, keepdim=True), x.max(axis=1, keepdim=True)], axis=1)
        return self.a(x * F.sigmoid(self.space(y)))


class SqueezeByLinear(Net):
    """Squeeze and excitation with linear layers, unsqueezed by an index."""

    def __init__(self) -> None:
        super().__init__(8)
        self.down, self.up = nn.Linear(8, 4), nn.Linear(4, 8)

    def body(self, x: Any) -> Any:
        y = F.hardsigmoid(self.up(F.relu(self.down(x.mean([2, 3])))))
        return x * y[:, :, None, None] + x


class EfficientChannelAttention(Net):
    """ECA: a 1-D convolution along the channels, which all of them stand beside each other for."""

    def __init__(self) -> None:
        super().__init__(6)
        self.along, self.a = nn.Conv1D(1, 1, 3, padding=1, bias_attr=False), conv(8, 6)

    def body(self, x: Any) -> Any:
        y = F.adaptive_avg_pool2d(x, 1).squeeze(-1).transpose([0, 2, 1])
        y = F.sigmoid(self.along(y).transpose([0, 2, 1]).unsqueeze(-1))
        return self.a(x * y)


class Scales(Net):
    """Learned numbers: one for all, one for each channel (in three shapes), one for each position."""

    def __init__(self) -> None:
        super().__init__(6)
        self.one, self.row = self.create_parameter([1]), self.create_parameter([1, 8, 1, 1])
        self.column, self.plane = self.create_parameter([8, 1, 1]), self.create_parameter([8, 8])
        self.vector, self.a = self.create_parameter([8]), conv(8, 6)

    def body(self, x: Any) -> Any:
        x = x * self.one + self.row
        x = x * self.column * self.plane
        return self.a(x + x * self.vector.reshape([1, -1, 1, 1]))


class FullScale(Net):
    """A learned number for every channel at every position."""

    def __init__(self) -> None:
        super().__init__(6)
        self.scale, self.a = self.create_parameter([1, 8, 8, 8]), conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.a(x * self.scale)


class ConstantOfEachChannel(nn.Layer):
    """Numbers of each channel that the forward holds: they meet the image, and another layer's channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.head = conv(3, 4), conv(4, 6), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        x = (x - paddle.to_tensor([0.4, 0.5, 0.6]).reshape([1, 3, 1, 1])) / 0.25
        x = self.stem(x) * paddle.to_tensor([1.0, 2.0, 3.0, 4.0]).reshape([1, 4, 1, 1])
        return self.head(self.a(x).mean([2, 3]))


class Buffer(Net):
    """Numbers of each channel in a buffer."""

    def __init__(self) -> None:
        super().__init__(6)
        self.register_buffer("numbers", paddle.arange(1, 9, dtype="float32").reshape([1, 8, 1, 1]))
        self.a = conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.a(x * self.numbers)


class FlippedChannels(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 8), conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.b(paddle.flip(self.a(x), axis=[1]) + x)


class RolledChannels(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 8), conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.b(paddle.roll(self.a(x), 1, axis=1))


READ = {"stem.0": 8, "a": 6, "b": 4}
CASES = (
    *(
        Case(partial(Read, f), READ, compiled=name in ("gelu", "softplus", "where", "roll"), label=f"read-{name}")
        for name, f in (ZERO_STAYS | ZERO_MOVES).items()
    ),
    *(Case(partial(Summed, f), {"stem.0": 8, "a": 6}, label=f"summed-{name}") for name, f in ZERO_STAYS.items()),
    *(
        Case(partial(Summed, f), {"stem.0": 8, "a": "can't be silenced"}, label=f"summed-{name}")
        for name, f in ZERO_MOVES.items()
    ),
    Case(partial(PRelu, 1), READ, label="PReluOfOne"),
    Case(partial(PRelu, 6), READ, compiled=True, label="PReluOfEach"),
    Case(PReluLast, {"a": 6}, ((12,),)),
    Case(Maxout, {"stem.0": 4, "a": 6}, compiled=True),
    Case(Dropouts, {"a": 8, "b": 6}, ((3, 4, 4, 4),)),
    Case(GatedUnit, {"stem.0": 8, "a": 6, "b": 6}),
    Case(SwiGlu, {"stem.0": 8, "a": 6, "b": 6}, compiled=True),
    Case(ConvolutionalGate, {"stem.0": 8, "gate": "one unit", "a": 6}, compiled=True),
    Case(BroadcastGate, {"stem.0": 8, "gate": "one unit", "a": 6}),
    Case(
        Cbam,
        {"down": 4, "space": "one unit", "a": 6},
        inexact={"stem.0": (8, "mean over the channel axis")},
        compiled=True,
    ),
    Case(SqueezeByLinear, {"stem.0": 8, "down": 4}, compiled=True),
    Case(EfficientChannelAttention, {"a": 6, "stem.0": "mixes positions", "along": "one unit"}),
    Case(Scales, {"stem.0": 8, "a": 6}, compiled=True),
    Case(FullScale, {"stem.0": 8, "a": 6}),
    Case(ConstantOfEachChannel, {"stem": "can't be removed", "a": 6}),
    Case(Buffer, {"stem.0": 8, "a": 6}),
    Case(FlippedChannels, {"stem.0": 8, "b": 6}),
    Case(RolledChannels, {"stem.0": 8, "b": 6, "a": "reorders channels"}),
)
