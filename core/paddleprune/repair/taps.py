"""Which positions of a convolution's input each position of its output reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.interfaces import Array
from paddleprune.paddle_private.layers import Geometry, geometry
from paddleprune.paddle_private.widths import TRANSPOSED

_MODES: dict[str, Any] = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""Paddle's words for what lies beyond an image's edge -> NumPy's."""


@dataclass(frozen=True)
class Window:
    """How a convolution goes over one axis of an image."""

    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    def taps(self, positions: Array) -> Array:
        """[positions, kernel]: the input's positions, of an input that is padded already."""
        return np.asarray(positions[:, None] * self.stride + np.arange(self.kernel) * self.dilation)

    def transposed_taps(self, positions: Array, size: int) -> Array:
        """The same of a transposed convolution, whose input has `size` positions; `size` where there is none."""
        reached = positions[:, None] + self.before - np.arange(self.kernel) * self.dilation
        found = reached // self.stride
        outside = (reached % self.stride != 0) | (found < 0) | (found >= size)
        return np.where(outside, size, found)


def patches(layer: nn.Layer, images: Array, positions: Sequence[Array]) -> Array:
    """What a convolution reads for some positions of its output.

    Args:
        layer: the convolution, of any number of axes, transposed or not.
        images: its input, [N, C, ...].
        positions: the image and the place along each axis of the output, [R] each.

    Returns:
        [R, taps of the kernel, C].
    """
    sizes, windows = images.shape[2:], _windows(layer, images.shape[2:])
    if isinstance(layer, TRANSPOSED):
        along = [w.transposed_taps(p, n) for w, p, n in zip(windows, positions[1:], sizes, strict=True)]
    elif (mode := _MODES[geometry(layer).mode]) == "constant":
        along = [w.taps(p) - w.before for w, p in zip(windows, positions[1:], strict=True)]
    else:
        images = np.pad(images, [(0, 0), (0, 0), *((w.before, w.after) for w in windows)], mode=mode)
        along = [w.taps(p) for w, p in zip(windows, positions[1:], strict=True)]
    index: list[Any] = [positions[0].reshape(-1, *([1] * len(sizes))), slice(None)]
    beyond: Any = False
    for axis, taps in enumerate(along):
        size = images.shape[2 + axis]
        taps = taps.reshape(-1, *(taps.shape[1] if axis == other else 1 for other in range(len(sizes))))
        beyond = beyond | (taps < 0) | (taps >= size)
        index.append(taps.clip(0, size - 1))
    found = np.asarray(images[tuple(index)])
    found[beyond] = 0
    return found.reshape(len(found), -1, images.shape[1])


def _windows(layer: nn.Layer, sizes: Sequence[int]) -> list[Window]:
    said = geometry(layer)
    dilation, around = said.dilation, _padding(said, sizes)
    if said.padding == "SAME" and not isinstance(layer, TRANSPOSED):
        dilation = [1] * len(sizes)  # as Paddle has it
    return [Window(k, s, d, *pad) for k, s, d, pad in zip(said.kernel, said.stride, dilation, around, strict=True)]


def _padding(said: Geometry, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """What is added before and after each axis; `padding` may be a number, a word or a list in three spellings."""
    padding, axes = said.padding, len(sizes)
    if isinstance(padding, str):
        each = zip(sizes, said.kernel, said.stride, strict=True)
        return [_same(n, k, s) if padding.upper() == "SAME" else (0, 0) for n, k, s in each]
    if isinstance(padding, int):
        return [(padding, padding)] * axes
    given = list(padding)
    if isinstance(given[0], (list, tuple)):
        if len(given) == axes + 2:  # with the batch's and the channels' own
            given = [pair for i, pair in enumerate(given) if i not in (0, said.channels)]
        return [(int(a), int(b)) for a, b in given]
    if len(given) == 2 * axes:
        return [(int(a), int(b)) for a, b in zip(given[::2], given[1::2], strict=True)]
    if len(given) == 1:
        given = given * axes
    return [(int(n), int(n)) for n in given]


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2
