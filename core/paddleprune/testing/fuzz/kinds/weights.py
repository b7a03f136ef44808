"""Steps with weights."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn
from paddle.vision.ops import DeformConv2D

from paddleprune.testing.fuzz.kinds.kind import Choices, Shape, always, divisors, function, layer, rank

_CONVOLUTIONS = {3: nn.Conv1D, 4: nn.Conv2D, 5: nn.Conv3D}
_TRANSPOSED = {3: nn.Conv1DTranspose, 4: nn.Conv2DTranspose, 5: nn.Conv3DTranspose}
_BATCH_NORMS = {2: nn.BatchNorm1D, 3: nn.BatchNorm1D, 4: nn.BatchNorm2D, 5: nn.BatchNorm3D}
_INSTANCE_NORMS = {3: nn.InstanceNorm1D, 4: nn.InstanceNorm2D, 5: nn.InstanceNorm3D}


def is_image(x: Shape) -> bool:
    """[N, C, L], [N, C, H, W] or [N, C, D, H, W]."""
    return len(x) in (3, 4, 5)


def is_vector(x: Shape) -> bool:
    """[N, C]."""
    return len(x) == 2


def _convolution(x: Shape) -> Choices | None:
    if not is_image(x):
        return None
    return {
        "per_group": (4, 1, 2, 3, 6),
        "groups": divisors(x[1])[:-1] or [1],
        "kernel": (1, 3),
        "stride": (1, 2),
        "dilation": (1, 2),
        "bias": (True, False),
    }


@layer(_convolution, tidy=always)
def conv(x: Shape, per_group: int, groups: int, kernel: int, stride: int, dilation: int, bias: bool) -> nn.Layer:
    """A convolution of any rank, with groups."""
    options = {"groups": groups, "stride": stride, "dilation": dilation, "padding": dilation * (kernel // 2)}
    return _CONVOLUTIONS[len(x)](x[1], per_group * groups, kernel, **options, bias_attr=None if bias else False)


def _depthwise(x: Shape) -> Choices | None:
    return {"multiplier": (1, 2), "kernel": (3, 1), "bias": (True, False)} if is_image(x) and x[1] <= 8 else None


@layer(_depthwise, tidy=always)
def depthwise(x: Shape, multiplier: int, kernel: int, bias: bool) -> nn.Layer:
    """A convolution a channel, perhaps with several filters for each."""
    made = _CONVOLUTIONS[len(x)]
    return made(x[1], x[1] * multiplier, kernel, padding=kernel // 2, groups=x[1], bias_attr=None if bias else False)


def _transposed(x: Shape) -> Choices | None:
    if not is_image(x) or max(x[2:]) > 8:
        return None
    return {"per_group": (4, 1, 2, 3), "groups": divisors(x[1]), "stride": (1, 2), "bias": (True, False)}


@layer(_transposed, tidy=always)
def conv_transpose(x: Shape, per_group: int, groups: int, stride: int, bias: bool) -> nn.Layer:
    """A transposed convolution, with groups; with as many as channels a depthwise one."""
    options = {"stride": stride, "groups": groups, "bias_attr": None if bias else False}
    return _TRANSPOSED[len(x)](x[1], per_group * groups, 2, **options)


def _linear(x: Shape) -> Choices | None:
    return {"features": (4, 1, 2, 6, 8), "bias": (True, False)} if len(x) >= 2 else None


@layer(_linear, tidy=is_vector)
def linear(x: Shape, features: int, bias: bool) -> nn.Layer:
    """A linear layer on the last axis."""
    return nn.Linear(x[-1], features, bias_attr=None if bias else False)


@layer(lambda x: {"affine": (True, False)} if len(x) in _BATCH_NORMS else None, tidy=always)
def batch_norm(x: Shape, affine: bool) -> nn.Layer:
    """Batch norm of any rank."""
    options = {} if affine else {"weight_attr": False, "bias_attr": False}
    return _BATCH_NORMS[len(x)](x[1], **options)


@layer(lambda x: {"affine": (True, False)} if is_image(x) and min(x[2:]) > 1 else None, tidy=always)
def instance_norm(x: Shape, affine: bool) -> nn.Layer:
    """Instance norm of any rank."""
    options = {} if affine else {"weight_attr": False, "bias_attr": False}
    return _INSTANCE_NORMS[len(x)](x[1], **options)


@layer(lambda x: {"groups": divisors(x[1])} if is_image(x) and min(x[2:]) > 1 else None)
def group_norm(x: Shape, groups: int) -> nn.Layer:
    """Group norm; with as many groups as channels it is exact."""
    return nn.GroupNorm(groups, x[1])


@layer(lambda x: {} if len(x) >= 2 and x[-1] > 1 else None)
def layer_norm(x: Shape) -> nn.Layer:
    """Layer norm over the last axis."""
    return nn.LayerNorm(x[-1])


@layer(lambda x: {"slopes": ("one", "each")} if len(x) >= 2 else None, tidy=always)
def prelu(x: Shape, slopes: str) -> nn.Layer:
    """One slope, or one a channel."""
    return nn.PReLU(x[1] if slopes == "each" else 1)


@layer(lambda x: {"rows": (5,), "features": (4, 6, 1)} if len(x) == 2 else None)
def embedding(x: Shape, rows: int, features: int) -> nn.Layer:
    """Numbers to vectors: [N, L] -> [N, L, C]."""
    return nn.Embedding(rows, features)


class Learned(nn.Layer):
    """A parameter that the forward uses by itself."""

    def __init__(self, shape: Shape, operation: str) -> None:
        super().__init__()
        self.factor = self.create_parameter(list(shape), default_initializer=nn.initializer.Uniform(0.5, 1.5))
        self.operation = operation

    def forward(self, x: Any) -> Any:
        """Multiply or add it."""
        return x * self.factor if self.operation == "multiply" else x + self.factor


def _learned(x: Shape) -> Choices | None:
    if len(x) < 2:
        return None
    return {"along": ["channels", "last", "one", *(["image", "tokens"] if len(x) > 2 else [])],
            "operation": ("multiply", "add")}  # fmt: skip


@layer(_learned)
def learned(x: Shape, along: str, operation: str) -> nn.Layer:
    """A learned scale or position, along several axes."""
    shapes = {
        "channels": (1, x[1], *[1] * (len(x) - 2)),
        "last": (x[-1],),
        "one": (1,),
        "image": (1, *x[1:]),
        "tokens": (1, *x[1:-1], 1),
    }
    return Learned(shapes[along], operation)


@layer(lambda x: {"operation": ("multiply", "add")} if len(x) >= 2 else None, tidy=always)
def layer_scale(x: Shape, operation: str) -> nn.Layer:
    """A learned number a channel."""
    return learned(x, "channels", operation)


class Deformable(nn.Layer):
    """A deformable convolution and what computes its offsets."""

    def __init__(self, channels: int, filters: int, groups: int, masked: bool) -> None:
        super().__init__()
        self.offset = nn.Conv2D(channels, 18, 3, padding=1)
        self.mask = nn.Conv2D(channels, 9, 3, padding=1) if masked else None
        self.conv = DeformConv2D(channels, filters, 3, padding=1, groups=groups)

    def forward(self, x: Any) -> Any:
        """Sample where the offsets say."""
        mask = None if self.mask is None else nn.functional.sigmoid(self.mask(x))
        return self.conv(x, self.offset(x) * 0.1, mask)


def _deformable(x: Shape) -> Choices | None:
    if len(x) != 4 or min(x[2:]) < 3:
        return None
    return {"filters": (2, 4), "groups": [g for g in (1, 2) if x[1] % g == 0], "masked": (False, True)}


@layer(_deformable)
def deformable(x: Shape, filters: int, groups: int, masked: bool) -> nn.Layer:
    """A deformable convolution."""
    return Deformable(x[1], filters, groups, masked)


class FreeWeight(nn.Layer):
    """A weight that the forward multiplies with as it likes."""

    def __init__(self, width: int, features: int, how: str) -> None:
        super().__init__()
        shape = [features, width] if how in ("matmul", "einsum") else [width, features]
        self.weight = self.create_parameter(shape)
        self.how = how

    def forward(self, x: Any) -> Any:
        """[..., C] -> [..., features]."""
        if self.how == "matmul":
            return paddle.matmul(x, self.weight, transpose_y=True)
        if self.how == "einsum":
            return paddle.einsum("abc,oc->abo", x, self.weight)
        return x @ self.weight


@layer(rank(3, features=(4, 1, 6), how=("at", "matmul", "einsum")))
def free_weight(x: Shape, features: int, how: str) -> nn.Layer:
    """A weight of one's own on the last axis."""
    return FreeWeight(x[-1], features, how)


class Picked(nn.Layer):
    """Positions of an axis, by the numbers in a buffer."""

    def __init__(self, numbers: tuple[int, ...], axis: int, how: str) -> None:
        super().__init__()
        self.register_buffer("index", paddle.to_tensor(numbers, "int64"))
        self.axis, self.how = axis, how

    def forward(self, x: Any) -> Any:
        """Pick them."""
        if self.how == "gather":
            return paddle.gather(x, self.index, self.axis)
        return paddle.index_select(x, self.index, self.axis)


def _pick(x: Shape) -> Choices | None:
    return {"axis": range(1, len(x)), "order": ("reversed", "half", "twice"), "how": ("index_select", "gather")}


@layer(_pick)
def pick(x: Shape, axis: int, order: str, how: str) -> nn.Layer:
    """A permutation, a part, or some twice."""
    size = x[axis]
    orders = {"reversed": range(size)[::-1], "half": range(0, size, 2), "twice": [*range(size), 0]}
    return Picked(tuple(orders[order]), axis, how)


def dropout(x: Any, rate: float) -> Any:
    """Nothing, in evaluation."""
    return nn.functional.dropout(x, rate, training=False)


function(dropout, lambda x: {"rate": (0.5,)}, tidy=always)
