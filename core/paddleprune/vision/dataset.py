"""The images of one split, decoded and preprocessed one at a time."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from paddleprune.errors import ConfigError, DataError
from paddleprune.interfaces import Dataset, Sample
from paddleprune.specs import Contract, DatasetConfig, ImageOptions, Split
from paddleprune.vision.decode import decode_colour, to_channels
from paddleprune.vision.lists import Item, Listed
from paddleprune.vision.picture import Picture
from paddleprune.vision.specs import Normalize, Resize, random_step
from paddleprune.vision.transforms import Rng, preprocess


class ImageDataset(Dataset):
    """Samples of ((image [C, H, W] float32,), target).

    A task's own sets `items` and `labels`, calls this constructor, and says what the `target` is. Where a mask or boxes
    ride along it overrides `picture`.

    Raises:
        ConfigError: the evaluation split has a random step.
    """

    items: Sequence[Item]
    fitting: ClassVar[str] = "Resize"
    """The steps that bring an image to a size, for the message."""
    repeatable: ClassVar[bool] = True
    """Evaluation has no random step."""

    def __init__(self, config: DatasetConfig, split: Split, options: ImageOptions) -> None:
        self.shape = (options.input_channels, *options.input_size)
        given = config.transforms
        self.transforms = self.defaults(split, *self.shape) if given is None else given
        random = random_step(self.transforms)
        if self.repeatable and split == "eval" and random is not None:
            raise ConfigError(f"{random} is random here, which evaluation can't be; leave it out")

    def defaults(self, split: Split, channels: int, height: int, width: int) -> Sequence[Contract]:
        """The steps where the user names none, for a model's input of so many channels at this height and width."""
        normalize = Normalize() if channels == 3 else Normalize(mean=(0.449,), std=(0.226,))
        return Resize(target_size=(height, width)), normalize

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Sample:
        """Decode and preprocess one image, with what rides along.

        Raises:
            DataError: it does not exist or can't be decoded, or doesn't come out in the shape of the model's input.
        """
        rng = np.random.default_rng((self.seed, self.epoch, index))
        picture = self.picture(index)
        try:
            picture = self.preprocessed(picture, index, rng)
        except DataError as error:
            item = self.items[index]
            raise DataError(f"{item.origin}: {item.image}: {error}") from error
        if picture.image.shape != self.shape:
            item = self.items[index]
            got, wanted = ("x".join(map(str, shape)) for shape in (picture.image.shape, self.shape))
            raise DataError(
                f"{item.origin}: the transforms make {item.image} {got}, but the model reads {wanted}; "
                f"add {self.fitting} to that size"
            )
        return (picture.image,), self.target(index, picture)

    def listing(self) -> str:
        """A hash of the list's text; where there is none, of the images' names."""
        if isinstance(self.items, Listed):
            return self.items.digest()
        return hashlib.sha256("\n".join(item.image.name for item in self.items).encode()).hexdigest()

    def picture(self, index: int) -> Picture:
        """The image as its file has it, in the channels that the model reads; overridden, what rides along too.

        Raises:
            DataError: it can't be decoded.
        """
        return self.opened(self.items[index])

    def opened(self, item: Item) -> Picture:
        """An image file, in the channels that the model reads."""
        return Picture.of(to_channels(decode_colour(item.image, item.origin), self.shape[0]))

    def preprocessed(self, picture: Picture, index: int, rng: Rng) -> Picture:
        """After all steps. Every random choice is drawn from `rng`, which only seed, epoch and index determine."""
        return preprocess(picture, self.transforms, rng)

    @abstractmethod
    def target(self, index: int, picture: Picture) -> Any:
        """What the loss and the metric get beside the model's outputs, of a sample that came out so."""
