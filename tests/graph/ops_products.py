"""Linear layers, products with parameters and products of activations."""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F  # noqa: N812
from networks import conv
from ops_support import Case, Net, Tokens
from paddle import nn

from paddleprune.graph import Input

WORDS = (Input((6,), "int64"),)


class Mlp(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(12, 8), nn.BatchNorm1D(8), nn.Linear(8, 6, bias_attr=False)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(F.elu(self.b(F.relu(self.norm(self.a(x))))))


class Matmul(nn.Layer):
    """Parameters that the forward multiplies with, one of them transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.v = self.create_parameter([12, 8]), self.create_parameter([10, 8])
        self.bias, self.w = self.create_parameter([10], is_bias=True), self.create_parameter([6, 10])
        self.head = nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        x = F.relu(x @ self.a)
        x = F.relu(paddle.matmul(x, self.v, transpose_y=True) + self.bias)
        return self.head(F.relu(F.linear(x, self.w.t())))


class BiasAndProduct(nn.Layer):
    """`addmm` with a bias for each channel, `baddbmm` with a product of activations."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.w, self.bias = nn.Linear(12, 8), self.create_parameter([8, 6]), self.create_parameter([6])
        self.b, self.head = nn.Linear(12, 6), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        y = F.relu(paddle.addmm(self.bias, F.relu(self.a(x)), self.w, alpha=0.5))
        y, z = y.unsqueeze(1), self.b(x).unsqueeze(1)
        return self.head(paddle.baddbmm(z, F.softmax(y @ z.transpose([0, 2, 1])), y).squeeze(1))


class TiedEmbedding(nn.Layer):
    """The classifier is the table of words."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.a, self.b = nn.Embedding(11, 8), nn.Linear(8, 12), nn.Linear(12, 8)

    def forward(self, ids: Any) -> Any:
        x = self.words(ids)
        x = x + self.b(F.gelu(self.a(x)))
        return paddle.matmul(x, self.words.weight, transpose_y=True)


class EmbeddingBag(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.a, self.head = nn.Embedding(11, 8, padding_idx=0), nn.Linear(8, 6), nn.Linear(6, 5)

    def forward(self, ids: Any) -> Any:
        return self.head(F.relu(self.a(self.words(ids).mean(1))))


class TiedAutoencoder(nn.Layer):
    """The same matrix on the way in and, transposed, on the way out."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.w = nn.Linear(12, 8), self.create_parameter([8, 6])
        self.head = nn.Linear(8, 5)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.stem(x))
        return self.head(F.relu(F.relu(x @ self.w) @ self.w.t()))


class Mixer(Tokens):
    """Linear layers along the tokens and along the channels: the hidden ones of both can go, and the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.token_in, self.token_out = nn.Linear(16, 12), nn.Linear(12, 16)
        self.channel_in, self.channel_out = nn.Linear(8, 10), nn.Linear(10, 8)

    def body(self, x: Any) -> Any:
        y = x.transpose([0, 2, 1])
        x = x + self.token_out(F.gelu(self.token_in(y))).transpose([0, 2, 1])
        return x + self.channel_out(F.gelu(self.channel_in(x)))


class TokensByConvolution(Tokens):
    """ResMLP and friends mix tokens with a 1-D convolution over them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1D(16, 12, 1), nn.Conv1D(12, 16, 1)

    def body(self, x: Any) -> Any:
        return x + self.b(F.relu(self.a(x)))


class GroupedLinear(nn.Layer):
    """A weight with three axes: one matrix for each of three groups of channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.w = nn.Linear(7, 12), self.create_parameter([3, 4, 6])
        self.head = nn.Linear(18, 5)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.stem(x)).reshape([0, 3, -1]).transpose([1, 0, 2])
        return self.head(F.relu(paddle.bmm(x, self.w)).transpose([1, 0, 2]).flatten(1))


class EinsumLinear(Tokens):
    def __init__(self) -> None:
        super().__init__(6)
        self.w = self.create_parameter([8, 6])

    def body(self, x: Any) -> Any:
        return F.relu(paddle.einsum("bnc,cd->bnd", x, self.w))


class EinsumOnImage(Net):
    """Channels of an image mixed by einsum, and a fixed graph along its width."""

    def __init__(self) -> None:
        super().__init__(6)
        self.w, self.edges = self.create_parameter([8, 6]), self.create_parameter([8, 8])

    def body(self, x: Any) -> Any:
        x = paddle.einsum("nchw,cd->ndhw", x, self.w)
        return F.relu(paddle.einsum("nchw,wv->nchv", x, self.edges))


class NonLocal(Net):
    """The non-local block of video and segmentation networks."""

    def __init__(self) -> None:
        super().__init__(8)
        self.theta, self.phi, self.g = conv(8, 4, 1), conv(8, 4, 1), conv(8, 6, 1)
        self.out = conv(6, 8, 1)

    def body(self, x: Any) -> Any:
        n, _, h, w = x.shape
        theta = self.theta(x).flatten(2).transpose([0, 2, 1])
        share = F.softmax(paddle.matmul(theta, self.phi(x).flatten(2)), axis=-1)
        y = paddle.matmul(share, self.g(x).flatten(2).transpose([0, 2, 1]))
        return x + self.out(y.transpose([0, 2, 1]).reshape([n, -1, h, w]))


class NonLocalGaussian(Net):
    """Without weights of its own: it compares the channels as they are, so they must be silenced."""

    def __init__(self) -> None:
        super().__init__(8)
        self.a = conv(8, 6)

    def body(self, x: Any) -> Any:
        y = F.relu(self.a(x)).flatten(2)
        share = F.softmax(paddle.bmm(y.transpose([0, 2, 1]), y), axis=-1)
        return paddle.bmm(x.flatten(2), share).reshape(x.shape)


class GlobalContext(Net):
    """GCNet: one attention map over space, shared by all channels."""

    def __init__(self) -> None:
        super().__init__(8)
        self.mask, self.down, self.up = conv(8, 1, 1), conv(8, 4, 1), conv(4, 8, 1)

    def body(self, x: Any) -> Any:
        n, c, h, w = x.shape
        share = F.softmax(self.mask(x).reshape([n, 1, h * w]), axis=2).unsqueeze(-1)
        context = paddle.matmul(x.reshape([n, c, h * w]).unsqueeze(1), share).reshape([n, c, 1, 1])
        return x + self.up(F.relu(self.down(context)))


class ChannelAttention(Net):
    """DANet: every channel's likeness with every other, a softmax over channels."""

    def __init__(self) -> None:
        super().__init__(8)
        self.gamma = self.create_parameter([1])

    def body(self, x: Any) -> Any:
        y = x.flatten(2)
        share = F.softmax(paddle.bmm(y, y.transpose([0, 2, 1])), axis=-1)
        return x + self.gamma * paddle.bmm(share, y).reshape(x.shape)


class DotOfTwo(nn.Layer):
    """The inner product of two embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(12, 8), nn.Linear(12, 8), nn.Linear(4, 5)

    def forward(self, x: Any, y: Any) -> Any:
        return self.head(paddle.matmul(self.a(x).unsqueeze(1), F.relu(self.b(y)), transpose_y=True).squeeze(1))


class Correlation(Net):
    """Template matching: one value's channels weigh another's (depthwise cross-correlation by a product)."""

    def __init__(self) -> None:
        super().__init__(8)
        self.a = conv(8, 8)

    def body(self, x: Any) -> Any:
        return x * F.adaptive_avg_pool2d(self.a(x), 1)


class GeneratedKernel(Net):
    """A convolution whose weights are computed from the image: both sides stay."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.kernel, self.b = conv(8, 8), nn.Linear(8, 8 * 9), conv(8, 6)

    def body(self, x: Any) -> Any:
        kernel = self.kernel(x.mean([0, 2, 3])).reshape([8, 1, 3, 3])
        return self.b(F.relu(F.conv2d(self.a(x), kernel, padding=1, groups=8)))


CASES = (
    Case(Mlp, {"a": 8, "b": 6}, ((12,),), compiled=True),
    Case(Matmul, {"a": 8, "v": 10, "w": 6}, ((12,),), compiled=True),
    Case(BiasAndProduct, {"a": 8, "w": 6}, ((12,),), compiled=True),
    Case(TiedEmbedding, {"words": 8, "a": 12}, WORDS),
    Case(EmbeddingBag, {"words": 8, "a": 6}, WORDS, compiled=True),
    Case(TiedAutoencoder, {"stem": 8, "w": 6}, ((12,),)),
    Case(
        Mixer,
        {"patch": 8, "token_in": 12, "token_out": "can't be removed", "channel_in": 10},
        compiled=True,
    ),
    Case(TokensByConvolution, {"patch": 8, "a": 12, "b": "can't be removed"}),
    Case(GroupedLinear, {"stem": 4, "w": 6}, ((7,),)),
    Case(EinsumLinear, {"patch": 8, "w": 6}, compiled=True),
    Case(EinsumOnImage, {"stem.0": 8, "w": 6, "edges": "mixes positions"}),
    Case(NonLocal, {"stem.0": 8, "theta": 4, "g": 6}, compiled=True),
    Case(NonLocalGaussian, {"stem.0": 8, "a": 6}),
    Case(GlobalContext, {"stem.0": 8, "mask": "as one unit", "down": 4}),
    Case(ChannelAttention, {}, inexact={"stem.0": (8, "softmax over the channel axis")}),
    Case(DotOfTwo, {"a": 8}, ((12,), (4, 12))),
    Case(Correlation, {"stem.0": 8}),
    Case(
        GeneratedKernel,
        {"stem.0": 8, "a": "computed from kernel.weight", "kernel": "computed from kernel.weight", "b": 6},
    ),
)
