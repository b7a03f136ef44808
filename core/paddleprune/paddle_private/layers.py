"""What Paddle's layers hold besides their parameters: how a convolution goes over an image, buffers, momenta."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from paddle import nn


class Geometry(NamedTuple):
    """How a convolution goes over an image, as its constructor was told; `channels` is the axis of its channels."""

    kernel: Any
    stride: Any
    dilation: Any
    padding: Any
    mode: str
    channels: int
    layout: str


def geometry(layer: nn.Layer) -> Geometry:
    """A convolution's."""
    return Geometry(
        kernel=layer._kernel_size,
        stride=layer._stride,
        dilation=layer._dilation,
        padding=layer._padding,
        mode=layer._padding_mode,
        channels=int(layer._channel_dim),
        layout=layer._data_format,
    )


def wrapped(parallel: nn.Layer) -> nn.Layer:
    """The layer that `paddle.DataParallel` wraps."""
    return parallel._layers


def buffers(layer: nn.Layer) -> dict[str, Any]:
    """The layer's own buffers: the dict itself, which may be changed."""
    found: dict[str, Any] = layer._buffers
    return found


def unsaved_buffers(layer: nn.Layer) -> set[str]:
    """Those of them that `state_dict()` leaves out."""
    found: set[str] = layer._non_persistable_buffer_names_set
    return found


@contextmanager
def batch_statistics(norms: Sequence[nn.Layer]) -> Iterator[None]:
    """While open, a training forward gives batch norms the statistics of its batch, whatever theirs were."""
    momenta = [norm._momentum for norm in norms]
    for norm in norms:
        norm._momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm._momentum = momentum
