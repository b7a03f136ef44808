"""Height and width change: pooling, unpooling, interpolation, padding, sampling, windows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import paddle
import paddle.nn.functional as F  # noqa: N812
from networks import conv
from ops_support import Case, Net
from paddle import nn


class Between(Net):
    """Something that changes height or width between two convolutions."""

    def __init__(self, change: Callable[[Any], Any]) -> None:
        super().__init__(4)
        self.a, self.change, self.b = conv(8, 6), change, conv(6, 4)

    def body(self, x: Any) -> Any:
        return self.b(self.change(F.relu(self.a(x))))


class Between1D(nn.Layer):
    def __init__(self, change: Callable[[Any], Any]) -> None:
        super().__init__()
        self.a, self.change, self.b = nn.Conv1D(3, 6, 3, padding=1), change, nn.Conv1D(6, 4, 1)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Any) -> Any:
        return self.head(self.b(self.change(F.relu(self.a(x)))).mean(-1))


class Between3D(nn.Layer):
    def __init__(self, change: Callable[[Any], Any]) -> None:
        super().__init__()
        self.a, self.change, self.b = nn.Conv3D(3, 6, 3, padding=1), change, nn.Conv3D(6, 4, 1)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Any) -> Any:
        return self.head(self.b(self.change(F.relu(self.a(x)))).mean([2, 3, 4]))


CHANGES: dict[str, Callable[[Any], Any]] = {
    "max_pool": nn.MaxPool2D(3, stride=2, padding=1),
    "max_pool_ceil": lambda x: F.max_pool2d(x, 3, stride=2, ceil_mode=True),
    "avg_pool": nn.AvgPool2D(2),
    "adaptive_avg_pool": nn.AdaptiveAvgPool2D(3),
    "adaptive_max_pool": nn.AdaptiveMaxPool2D((3, None)),
    "lp_pool": nn.LPPool2D(2, 2),
    "upsample_nearest": nn.Upsample(scale_factor=2),
    "upsample_bilinear": nn.UpsamplingBilinear2D(scale_factor=2),
    "interpolate_size": lambda x: F.interpolate(x, size=[5, 7], mode="bilinear", align_corners=True),
    "interpolate_bicubic": lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"),
    "interpolate_area": lambda x: F.interpolate(x, size=[4, 4], mode="area"),
    "interpolate_other_scales": lambda x: F.interpolate(x, scale_factor=[2, 0.5], mode="nearest"),
    "pad_zero": nn.Pad2D([1, 2, 0, 1]),
    "pad_number": lambda x: F.pad(x, [1, 1, 1, 1], value=0.5),
    "pad_reflect": nn.Pad2D(1, mode="reflect"),
    "pad_replicate": lambda x: F.pad(x, [1, 1, 1, 1], mode="replicate"),
    "pad_circular": nn.Pad2D(1, mode="circular"),
    "pad_all_axes": lambda x: F.pad(x, [0, 0, 0, 0, 1, 1, 2, 2]),
    "zero_pad": nn.ZeroPad2D(1),
    "crop": lambda x: x[:, :, 1:-1, 2:],
    "stride": lambda x: x[:, :, ::2, ::2],
    "ellipsis": lambda x: x[..., 1:],
    "flip": lambda x: x.flip([2, 3]),
    "transpose": lambda x: x.transpose([0, 1, 3, 2]),
    "rot90": lambda x: paddle.rot90(x, 1, [2, 3]),
    "row": lambda x: x[:, :, 0].unsqueeze(2),
    "fixed_grid": lambda x: F.grid_sample(x, paddle.zeros([x.shape[0], 4, 4, 2])),
    "tile": lambda x: paddle.tile(x, [1, 1, 2, 2]),
    "expand": lambda x: F.adaptive_avg_pool2d(x, 1).expand([-1, -1, 4, 4]),
    "topk_of_positions": lambda x: x.flatten(2).topk(9, axis=-1)[0].reshape([0, 0, 3, 3]),
    "picked_positions": lambda x: paddle.take_along_axis(
        x.flatten(2), paddle.arange(9).tile([x.shape[0], 1, 1]), axis=2
    ).unsqueeze(-1),
    "sort_positions": lambda x: x.flatten(2).sort(axis=-1).unsqueeze(-1),
    "fractional_max_pool": lambda x: F.fractional_max_pool2d(x, 4, random_u=0.3),
    "repeat_positions": lambda x: x.repeat_interleave(2, axis=2),
    "repeat_channels": lambda x: x.repeat_interleave(2, axis=1).unflatten(1, [x.shape[1], 2]).sum(2),
    "fold": lambda x: F.fold(F.unfold(x, 2, 2), [8, 8], 2, 2),
    "unstack_positions": lambda x: paddle.stack(paddle.unstack(x, axis=2)[::2], axis=2),
    "cumsum_of_positions": lambda x: x.cumsum(axis=3),
}
if "antialias" in signature(F.interpolate).parameters:  # since Paddle 3.3
    CHANGES["interpolate_antialias"] = lambda x: F.interpolate(x, size=[4, 4], mode="bilinear", antialias=True)
CHANGES_1D: dict[str, Callable[[Any], Any]] = {
    "max_pool": nn.MaxPool1D(2),
    "avg_pool": nn.AvgPool1D(2),
    "adaptive_avg_pool": nn.AdaptiveAvgPool1D(5),
    "adaptive_max_pool": nn.AdaptiveMaxPool1D(5),
    "lp_pool": nn.LPPool1D(2, 2),
    "interpolate": lambda x: F.interpolate(x, size=[9], mode="linear", data_format="NCW"),
    "pad": nn.Pad1D([1, 2]),
}
CHANGES_3D: dict[str, Callable[[Any], Any]] = {
    "max_pool": nn.MaxPool3D(2),
    "avg_pool": nn.AvgPool3D(2),
    "adaptive_avg_pool": nn.AdaptiveAvgPool3D(2),
    "adaptive_max_pool": nn.AdaptiveMaxPool3D(2),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2, mode="trilinear", data_format="NCDHW"),
    "pad": nn.Pad3D(1),
}


class Unpool(Net):
    """SegNet: the places of the largest go round the middle to where the map grows again."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b, self.c = conv(8, 8), conv(8, 8), conv(8, 6)

    def body(self, x: Any) -> Any:
        x, places = F.max_pool2d(F.relu(self.a(x)), 2, return_mask=True)
        return self.c(F.max_unpool2d(F.relu(self.b(x)), places, 2))


class Unpool1D(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = nn.Conv1D(3, 6, 3), nn.Linear(6, 5)
        self.pool, self.unpool = nn.MaxPool1D(2, return_mask=True), nn.MaxUnPool1D(2)

    def forward(self, x: Any) -> Any:
        return self.head(self.unpool(*self.pool(self.a(x))).mean(-1))


class PyramidPooling(Net):
    """PSPNet: pooled to several sizes, back to that of the map, one beside the other."""

    def __init__(self) -> None:
        super().__init__(6)
        self.steps = nn.LayerList([nn.Sequential(nn.AdaptiveAvgPool2D(n), conv(8, 2, 1), nn.ReLU()) for n in (1, 2, 4)])
        self.a = conv(14, 6)

    def body(self, x: Any) -> Any:
        size = paddle.shape(x)[2:]
        parts = [F.interpolate(step(x), size=size, mode="bilinear", align_corners=True) for step in self.steps]
        return self.a(paddle.concat([x, *parts], axis=1))


class ResizeLikeAnother(Net):
    """Sizes in four ways: of another value's shape, as a tensor, as numbers, as one of each."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = conv(8, 8), conv(8, 6)

    def body(self, x: Any) -> Any:
        y = F.max_pool2d(self.a(x), 2)
        total = F.interpolate(y, size=x.shape[2:]) + F.interpolate(y, size=paddle.shape(x)[2:4])
        h, w = paddle.shape(x)[2], paddle.shape(x)[3]
        return self.b(total + F.interpolate(y, size=[h, w], mode="bilinear") + x)


class Unfolded(Net):
    """F.unfold and a linear layer: a convolution by hand."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a = nn.Linear(8 * 9, 6)

    def body(self, x: Any) -> Any:
        n, _, h, w = x.shape
        y = self.a(F.unfold(x, 3, paddings=1).transpose([0, 2, 1]))
        return y.transpose([0, 2, 1]).reshape([n, -1, h, w])


class Involution(Net):
    """Windows weighed by what another branch computes for them."""

    def __init__(self) -> None:
        super().__init__(6)
        self.kernel, self.a = conv(8, 9, 1), conv(8, 6)

    def body(self, x: Any) -> Any:
        n, _, h, w = x.shape
        windows = F.unfold(x, 3, paddings=1).reshape([n, -1, 9, h, w])
        return self.a((windows * self.kernel(x).unsqueeze(1)).sum(axis=2))


class Warped(Net):
    """An optical flow says where to sample."""

    def __init__(self) -> None:
        super().__init__(6)
        self.flow, self.a = conv(8, 2), conv(8, 6)

    def body(self, x: Any) -> Any:
        return self.a(F.grid_sample(x, F.tanh(self.flow(x)).transpose([0, 2, 3, 1])))


class PickedByAnother(Net):
    """What one branch finds likely says which positions of which channels are picked from the other."""

    def __init__(self) -> None:
        super().__init__(6)
        self.likely, self.a, self.b = conv(8, 6, 1), conv(8, 6), conv(6, 6)

    def body(self, x: Any) -> Any:
        places = self.likely(x).flatten(2).topk(9, axis=-1)[1]
        picked = paddle.take_along_axis(self.a(x).flatten(2), places, axis=2)
        return self.b(picked.reshape([0, 0, 3, 3]))


class SpatialTransformer(Net):
    def __init__(self) -> None:
        super().__init__(6)
        self.theta, self.a = nn.Linear(8, 6), conv(8, 6)

    def body(self, x: Any) -> Any:
        theta = self.theta(x.mean([2, 3])).reshape([-1, 2, 3])
        return self.a(F.grid_sample(x, F.affine_grid(theta, [x.shape[0], 1, 4, 4])))


class TemporalShift(nn.Layer):
    """TSM: a quarter of the channels of each frame comes from the next, another from the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.head = conv(3, 8), conv(8, 6), nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(self.a(F.temporal_shift(F.relu(self.stem(x)), 2, 0.25)).mean([2, 3]))


class Shortcut(Net):
    """ResNet's option A: the shortcut is padded with channels of zeros, as many on each side."""

    def __init__(self) -> None:
        super().__init__(16)
        self.a, self.b = nn.Conv2D(8, 6, 3, stride=2, padding=1), conv(6, 16)

    def body(self, x: Any) -> Any:
        shortcut = F.pad(x[:, :, ::2, ::2], [0, 0, 4, 4, 0, 0, 0, 0])
        return F.relu(self.b(F.relu(self.a(x))) + shortcut)


class ShortcutOfZeros(Net):
    """The same by a concat with zeros."""

    def __init__(self) -> None:
        super().__init__(16)
        self.a = nn.Conv2D(8, 16, 3, stride=2, padding=1)

    def body(self, x: Any) -> Any:
        shortcut = F.avg_pool2d(x, 2)
        return self.a(x) + paddle.concat([shortcut, paddle.zeros_like(shortcut)], axis=1)


READ = {"stem.0": 8, "a": 6, "b": 4}
CASES = (
    *(
        Case(
            partial(Between, f),
            READ,
            compiled=name in ("interpolate_size", "pad_number", "topk_of_positions"),
            label=name,
        )
        for name, f in CHANGES.items()
    ),
    *(Case(partial(Between1D, f), {"a": 6, "b": 4}, ((3, 16),), label=f"{name}_1d") for name, f in CHANGES_1D.items()),
    *(
        Case(partial(Between3D, f), {"a": 6, "b": 4}, ((3, 4, 4, 4),), label=f"{name}_3d")
        for name, f in CHANGES_3D.items()
    ),
    Case(Unpool, {"stem.0": 8, "a": 8, "c": 6}, compiled=True),
    Case(Unpool1D, {"a": 6}, ((3, 16),)),
    Case(
        PyramidPooling,
        {"stem.0": 8, "steps.0.1": 2, "steps.1.1": 2, "steps.2.1": 2, "a": 6},
        compiled=True,
    ),
    Case(ResizeLikeAnother, {"stem.0": 8, "b": 6}, compiled=True),
    Case(Unfolded, {"stem.0": 8, "a": 6}),
    Case(Involution, {"stem.0": 8, "kernel": "can't be removed", "a": 6}),
    Case(PickedByAnother, {"stem.0": 8, "likely": "depend on the channel", "a": "picks channels by number", "b": 6}),
    Case(Warped, {"stem.0": 8, "flow": "samples where it says", "a": 6}),
    Case(SpatialTransformer, {"stem.0": 8, "theta": "affine_grid", "a": 6}),
    Case(TemporalShift, {"stem": "temporal_shift", "a": 6}),
    Case(Shortcut, {"stem.0": 8, "a": 6}),
    Case(ShortcutOfZeros, {"stem.0": 8}),
)
