"""What all tasks on images say to PaddleX 3: which of its models they pass for, colours, padding.

PaddleX resizes and normalizes images of three channels. What else a network's preprocessing does is done by layers in
front of the network, in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F  # noqa: N812

from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array
from paddleprune.specs import Contract, DatasetConfig, ImageOptions
from paddleprune.vision import specs as spec
from paddleprune.vision.colours import CHANNELS, grey
from paddleprune.vision.predictor import steps_of


def name_of(family: str, names: Mapping[str, str], asked: str | None) -> str:
    """PaddleX's name of a family's network.

    Args:
        family: the family.
        names: family -> its name.
        asked: the name that the user wants.

    Raises:
        ConfigError: PaddleX lacks the family, and the user names no model.
    """
    name = asked or names.get(family)
    if name is None:
        raise ConfigError(
            f"PaddleX has no model like the family {family!r}; say as which of its models it shall read the files: "
            "`model_name`"
        )
    return name


def repeatable_steps(
    data: type[DatasetConfig], transforms: Sequence[Mapping[str, Any]]
) -> tuple[list[Contract], spec.Normalize]:
    """A checkpoint's steps but the last, and the last, which normalizes.

    Raises:
        ConfigError: one of them is random; or the last is another.
    """
    steps = steps_of(data, transforms)
    random = spec.random_step(steps)
    if random is not None:
        raise unsayable(f"is random in {random}")
    if not steps or not isinstance(steps[-1], spec.Normalize):
        raise unsayable("doesn't end in Normalize")
    return list(steps[:-1]), steps[-1]


def unsayable(what: str) -> ConfigError:
    """The error about preprocessing that PaddleX can't do: it `what`."""
    return ConfigError(f"PaddleX can't do the model's preprocessing, which {what}; export without format=paddlex")


def check_channels(options: ImageOptions) -> None:
    """Make sure that the network reads colours, or grey.

    Raises:
        ConfigError: it reads bands.
    """
    if options.input_channels not in (1, CHANNELS):
        raise unsayable(f"makes {options.input_channels} channels; PaddleX reads colours")


def colours(images: Array, size: tuple[int, int]) -> Array:
    """What PaddleX reads where a network reads this, [N, C, h, w]: three channels, [N, 3, H, W].

    What is larger than the size that the steps make is cut off; what is smaller is repeated.
    """
    channels = images.repeat(CHANNELS, axis=1) if images.shape[1] == 1 else images
    rows, columns = (np.arange(wanted) % now for wanted, now in zip(size, images.shape[2:], strict=True))
    return np.asarray(channels[:, :, rows][:, :, :, columns])


def parts(images: Array) -> list[Array]:
    """Images [N, C, H, W], and the upper left parts of them that differ from them in height, and in width."""
    height, width = images.shape[2:]
    return [images, images[:, :, : max(1, height * 2 // 3)], images[:, :, :, : max(1, width // 2)]]


class Entrance(nn.Layer):
    """What PaddleX feeds, [N, 3, h, w] -> what a network reads, [N, C, H, W].

    Args:
        channels: 3, or 1: grey, the sum of the shares of red, green and blue. (A predictor rounds grey pixels to whole
            numbers before it resizes them; this can't, so that it differs by less than a 255th of the range.)
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self._grey = channels == 1

    def forward(self, images: Tensor) -> Tensor:
        """The network's input."""
        if not self._grey:
            return images
        return grey(images)


class Padded(nn.Layer):
    """Images of any size, up to one -> images of that size, padded with one colour.

    Args:
        size: height and width that come out.
        fill: the colour, a number for each channel, normalized.
        frame: the image is laid in the middle of this height and width, in the upper left corner of the whole; None
            lays it into the corner itself.
    """

    def __init__(self, size: tuple[int, int], fill: Sequence[float], frame: tuple[int, int] | None = None) -> None:
        super().__init__()
        self._size, self._frame = size, frame
        self._fill = paddle.to_tensor(np.asarray(fill, np.float32).reshape(1, -1, 1, 1))

    def corner(self, height: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
        """Row and column of the upper left corner of an image of this size."""
        if self._frame is None:
            return paddle.zeros_like(height), paddle.zeros_like(width)
        return (self._frame[0] - height) // 2, (self._frame[1] - width) // 2

    def forward(self, images: Tensor) -> Tensor:
        """[N, C, h, w] -> [N, C, H, W]."""
        sizes = paddle.shape(images)
        height, width = sizes[2], sizes[3]
        top, left = self.corner(height, width)
        sides = [left, self._size[1] - width - left, top, self._size[0] - height - top]
        places = paddle.concat([side.reshape([1]) for side in sides]).astype("int32")
        padded = F.pad(images - self._fill, places)
        return padded.reshape([-1, int(images.shape[1]), *self._size]) + self._fill
