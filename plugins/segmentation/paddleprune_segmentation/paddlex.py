"""A segmenter as PaddleX 3 reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from paddleprune.interfaces import Array, PaddleXModel
from paddleprune.specs import Contract
from paddleprune.vision.colours import mean_and_std
from paddleprune.vision.paddlex import (
    Entrance,
    Padded,
    check_channels,
    colours,
    name_of,
    parts,
    repeatable_steps,
    unsayable,
)
from paddleprune.vision.pixels import filling
from paddleprune.vision.sizes import size_after
from paddleprune.vision.specs import Normalize, Padding, Resize, ResizeByLong
from paddleprune_segmentation.config import SegmentationData
from paddleprune_segmentation.options import SegmenterOptions

_NAMES = {"pp_liteseg": "PP-LiteSeg-T", "deeplabv3p_resnet50_vd": "Deeplabv3_Plus-R50"}
"""Family -> PaddleX's name."""


def paddlex_model(
    family: str,
    options: SegmenterOptions,
    transforms: Sequence[Mapping[str, Any]],
    layer: nn.Layer,
    model_name: str | None,
) -> PaddleXModel:
    """The network with padding before it, and behind it the best class of each pixel, without those of the padding.

    PaddleX brings the classes to the size of the image, by the nearest; a predictor does so with the scores, so that
    borders between classes may differ where an image was resized.

    Raises:
        ConfigError: PaddleX has no such model, or can't do the preprocessing.
    """
    check_channels(options)
    steps, normalize = repeatable_steps(SegmentationData, transforms)
    resize, padding = _resizing(steps)
    config = {
        "Global": {"model_name": name_of(family, _NAMES, model_name)},
        "Deploy": {"transforms": [resize, {"type": "Normalize", **mean_and_std(normalize)}]},
    }
    size, padded = size_after(steps[-1], (1, 1)), None
    if padding is not None:
        padded = Padded(size, _fill(padding, normalize, options.input_channels))
    network = _Scores(layer, options.input_channels, padded)
    shape = (3, *size) if padded is None else (3, None, None)

    def feeds(inputs: tuple[Array, ...]) -> list[tuple[Array, ...]]:
        images = colours(inputs[0], size)
        return [(one,) for one in (parts(images) if padded else [images])]

    return PaddleXModel(config, network, {"x": shape}, feeds, _Best())


class _Scores(nn.Layer):
    """[N, 3, h, w] -> class scores of the image's own pixels, [N, classes, h, w]."""

    def __init__(self, network: nn.Layer, channels: int, padded: Padded | None) -> None:
        super().__init__()
        self.entrance, self.padded, self.network = Entrance(channels), padded, network

    def forward(self, images: Tensor) -> Tensor:
        """The scores, without those of what was padded."""
        network_input = self.entrance(images)
        if self.padded is None:
            return self.network(network_input)
        sizes = paddle.shape(images)
        return self.network(self.padded(network_input))[:, :, : sizes[2], : sizes[3]]


class _Best(nn.Layer):
    """Class scores -> the best class of each pixel, [N, h, w] int32: OpenCV, which PaddleX resizes with, has no int64.

    That of the lowest number, of several.
    """

    def forward(self, scores: Tensor) -> Tensor:
        """The classes."""
        return paddle.argmax(scores, axis=1).astype("int32")


def _resizing(steps: Sequence[Contract]) -> tuple[dict[str, Any], Padding | None]:
    """PaddleX's words for the resize; and the padding after it, if there is any."""
    if not steps or isinstance(steps[0], Padding):
        raise unsayable("pads before it resizes" if steps else "doesn't resize")
    first, *rest = steps
    if len(rest) > 1 or not all(isinstance(step, Padding) for step in rest):
        names = ", ".join(type(step).__name__ for step in steps)
        raise unsayable(f"is more than a resize and a padding: {names}")
    padding = next((step for step in rest if isinstance(step, Padding)), None)
    if isinstance(first, ResizeByLong):
        size, largest = (first.long_size, first.long_size), (first.long_size, first.long_size)
    elif isinstance(first, Resize):
        size = largest = first.target_size
    else:
        raise unsayable(f"has {type(first).__name__}")
    if padding is None and isinstance(first, ResizeByLong):
        raise unsayable("makes images of many sizes: ResizeByLong without Padding")
    if padding is not None and any(now > most for now, most in zip(largest, padding.target_size, strict=True)):
        raise unsayable(f"resizes to more than the {padding.target_size[0]}x{padding.target_size[1]} of its Padding")
    ratio = isinstance(first, ResizeByLong)
    return {"type": "Resize", "target_size": list(size[::-1]), "keep_ratio": ratio, "size_divisor": None}, padding


def _fill(padding: Padding, normalize: Normalize, channels: int) -> list[float]:
    """The colour of what is padded, normalized: a number for each channel of the network."""
    pixel = np.zeros((1, 1, channels), np.uint8)
    value = int(filling(pixel, padding.im_padding_value)) / 255
    numbers = mean_and_std(normalize)
    return [(value - mean) / std for mean, std in zip(numbers["mean"], numbers["std"], strict=True)][:channels]
