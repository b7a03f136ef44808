"""Pairs of images in one: the loss asks for both their classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle

from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array, Dataset, Loss, read_sample
from paddleprune.settings import TrainSettings


class Mixing:
    """Blends each image of a batch with another one of it (Zhang et al. 2018), or pastes a piece of that (Yun 2019).

    The loss is that of both classes, each weighed by how much of its image is there. How much that is, Beta(a, a) says,
    a being `mixup` or `cutmix`; where both are asked for, each gets half of the batches. All that is drawn depends on
    the seed and the step alone.

    Args:
        settings: of the training.
        dataset: what it trains on.

    Raises:
        ConfigError: a sample isn't one image with the number of its class.
        DataError: the first sample can't be read.
    """

    def __init__(self, settings: TrainSettings, dataset: Dataset) -> None:
        self._mixup, self._cutmix, self._seed = settings.mixup, settings.cutmix, settings.seed
        inputs, target = read_sample(dataset, 0)
        number = np.asarray(target)
        if [image.ndim for image in inputs] != [3] or number.ndim or number.dtype.kind not in "iu":
            raise ConfigError("mixup and cutmix are for images with one class each, which these aren't: leave them out")

    def __call__(self, inputs: Any, loss: Loss, step: int, part: int) -> tuple[Any, Loss]:
        """The inputs of a batch, mixed, and its loss.

        Args:
            inputs: one tensor of images, [N, C, H, W].
            loss: of images as they are.
            step: counts from 0.
            part: which part of the step's batch it is.
        """
        rng = np.random.default_rng((self._seed, step, part))
        (images,) = inputs
        order = paddle.to_tensor(rng.permutation(len(images)))
        cuts = self._cutmix > 0 and (not self._mixup or rng.random() < 0.5)
        amount = self._cutmix if cuts else self._mixup
        share = rng.beta(amount, amount)
        mask = _piece(share, images.shape[2:], rng) if cuts else np.full([1, 1], share)
        kept = paddle.to_tensor(mask.astype("float32")).astype(images.dtype)
        share = float(mask.mean())
        mixed = images * kept + images.gather(order) * (1 - kept)

        def both(outputs: Any, targets: Any) -> Any:
            return share * loss(outputs, targets) + (1 - share) * loss(outputs, targets.gather(order))

        return (mixed,), both


def _piece(share: float, size: Any, rng: np.random.Generator) -> Array:
    """1 where an image stays, 0 in a rectangle of its shape, somewhere, about 1 - share of it: [H, W]."""
    mask, spans = np.ones(size), []
    for length in size:
        half, middle = length * (1 - share) ** 0.5 / 2, rng.integers(length)
        spans.append(slice(max(round(middle - half), 0), round(middle + half)))
    mask[tuple(spans)] = 0
    return mask
