"""The images and masks of one split, decoded and preprocessed one at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paddleprune.errors import ConfigError, DataError
from paddleprune.interfaces import Array, Dataset, Sample
from paddleprune.specs import ImageOptions, Split
from paddleprune_segmentation.config import SegmentationData
from paddleprune_segmentation.data.images import decode_image, decode_mask
from paddleprune_segmentation.data.lists import read_labels, read_pairs
from paddleprune_segmentation.data.occurrence import check_classes
from paddleprune_segmentation.data.transforms import default_transforms, preprocess
from paddleprune_segmentation.transform_specs import EVALUATION


class MaskDataset(Dataset):
    """Samples of ((image [C, H, W] float32,), mask [H, W] uint8: the class of each pixel, 255 to ignore it).

    Raises:
        DataError: a list can't be used, an image or mask does not exist, or the masks can't be meant.
        ConfigError: the evaluation split has a random step.
    """

    def __init__(self, config: SegmentationData, split: Split, options: ImageOptions) -> None:
        self.labels = read_labels(config.label_list)
        self.pairs = read_pairs(config.file_list, config.data_dir)
        check_classes(self.pairs, self.labels, split, config.file_list)
        self.shape = (options.input_channels, *options.input_size)
        defaults = default_transforms(split, options.input_size)
        self.transforms = defaults if config.transforms is None else config.transforms
        random = next((step for step in self.transforms if not isinstance(step, EVALUATION)), None)
        if split == "eval" and random is not None:
            allowed = ", ".join(step.__name__ for step in EVALUATION)
            raise ConfigError(f"{type(random).__name__} is random, which evaluation can't be; it may use {allowed}")

    def __len__(self) -> int:
        return len(self.pairs)

    def targets(self) -> Iterator[Array]:
        """Every mask as its file has it."""
        return (decode_mask(pair.mask, len(self.labels), pair.origin) for pair in self.pairs)

    def __getitem__(self, index: int) -> Sample:
        """Decode and preprocess one image and its mask.

        Raises:
            DataError: one of them can't be decoded, they don't fit each other, or they don't come out in the shape
                of the model's input.
        """
        pair = self.pairs[index]
        image = decode_image(pair.image, self.shape[0], pair.origin)
        mask = decode_mask(pair.mask, len(self.labels), pair.origin)
        if image.shape[:2] != mask.shape:
            sizes = (f"{height}x{width}" for height, width in (mask.shape, image.shape[:2]))
            raise DataError("{}: mask {} is {}, but its image is {}".format(pair.origin, pair.mask, *sizes))
        rng = np.random.default_rng((self.seed, self.epoch, index))
        try:
            pixels, mask = preprocess(image, mask, self.transforms, rng)
        except DataError as error:
            raise DataError(f"{pair.origin}: {pair.image}: {error}") from error
        if pixels.shape != self.shape:
            got, wanted = ("x".join(map(str, shape)) for shape in (pixels.shape, self.shape))
            raise DataError(
                f"{pair.origin}: the transforms make {pair.image} {got}, but the model reads {wanted}; "
                "add Resize, Padding or RandomPaddingCrop to that size"
            )
        return (pixels,), mask
