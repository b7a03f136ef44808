"""Images as a camera gives them, in front of a network: what follows the resize is in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array
from paddleprune.specs import DatasetConfig, ImageOptions
from paddleprune.vision.colours import CHANNELS, LARGEST, grey, mean_and_std
from paddleprune.vision.predictor import steps_of
from paddleprune.vision.specs import Normalize

_WAY_OUT = "export without preprocessing"


class Camera(nn.Layer):
    """Pixels [N, H, W, 3], red, green and blue, uint8 -> what the network gives for them, normalized.

    Args:
        network: reads [N, C, H, W] float32, of colours or of grey.
        normalize: the last step of its preprocessing.
        grey: whether it reads grey.
    """

    def __init__(self, network: nn.Layer, normalize: Normalize, *, grey: bool) -> None:
        super().__init__()
        self.network = network
        self._grey = grey
        numbers = mean_and_std(normalize)
        shape = [1, CHANNELS, 1, 1]
        self._mean, self._std = (
            paddle.to_tensor(np.asarray(numbers[name], np.float32).reshape(shape)) for name in ("mean", "std")
        )

    def forward(self, pixels: Tensor) -> Any:
        """The network's outputs."""
        shares = pixels.astype("float32").transpose([0, 3, 1, 2]) / float(LARGEST)
        if self._grey:
            return self.network((grey(shares) - self._mean[:, :1]) / self._std[:, :1])
        return self.network((shares - self._mean) / self._std)


class Pixels:
    """Batches of a network's own input -> pixels of which `Camera` makes nearly that.

    Args:
        normalize: the last step of the preprocessing.
    """

    def __init__(self, normalize: Normalize) -> None:
        numbers = mean_and_std(normalize)
        self._mean, self._std = (np.asarray(numbers[name], np.float32).reshape(1, -1, 1, 1) for name in ("mean", "std"))

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """[N, C, H, W] normalized -> [N, H, W, 3] uint8."""
        images = inputs[0]
        colours = images if images.shape[1] == CHANNELS else images.repeat(CHANNELS, axis=1)
        levels = (colours * self._std + self._mean) * LARGEST
        return [np.ascontiguousarray(np.rint(levels).clip(0, LARGEST).astype(np.uint8).transpose(0, 2, 3, 1))]


def camera_for(
    network: nn.Layer, data: type[DatasetConfig], transforms: Sequence[Mapping[str, Any]], options: object
) -> tuple[Camera, Pixels]:
    """What stands in front of a checkpoint's network.

    Args:
        network: the checkpoint's.
        data: the configuration of the task's data.
        transforms: the checkpoint's steps.
        options: of the family.

    Raises:
        ConfigError: the network doesn't read images of colours or grey, or its last step isn't Normalize.
    """
    channels = options.input_channels if isinstance(options, ImageOptions) else 0
    if channels not in (1, CHANNELS):
        raise ConfigError(f"the network doesn't read colours or grey, which a camera gives: {_WAY_OUT}")
    last = (steps_of(data, transforms) or (None,))[-1]
    if not isinstance(last, Normalize):
        raise ConfigError(f"the model's preprocessing doesn't end in Normalize: {_WAY_OUT}")
    return Camera(network, last, grey=channels == 1), Pixels(last)
