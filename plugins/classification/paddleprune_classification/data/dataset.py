"""The images of one split, decoded and preprocessed one at a time."""

from __future__ import annotations

import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Dataset, Sample
from paddleprune.specs import FamilyOptions, Split
from paddleprune.vision.decode import decode_colour, to_channels
from paddleprune.vision.lists import read_labels
from paddleprune_classification.config import ClassificationData
from paddleprune_classification.data.lists import read_items, scan_folders
from paddleprune_classification.data.transforms import default_transforms, preprocess


class ImageDataset(Dataset):
    """Samples of ((image [C, H, W] float32,), class number).

    Raises:
        DataError: a list or folder can't be used, or an image does not exist.
    """

    def __init__(self, config: ClassificationData, split: Split, options: FamilyOptions) -> None:
        if config.file_list is not None and config.label_list is not None:
            self.labels = read_labels(config.label_list)
            self.items = read_items(config.file_list, config.data_dir, len(self.labels))
        else:
            self.labels, self.items = scan_folders(config.data_dir)
        self.shape = (options.input_channels, *options.input_size)
        defaults = default_transforms(split, options.input_size, options.input_channels)
        self.transforms = defaults if config.transforms is None else config.transforms

    def __len__(self) -> int:
        return len(self.items)

    def label_at(self, index: int) -> int:
        """The class of an image."""
        return self.items[index].label

    def __getitem__(self, index: int) -> Sample:
        """Decode and preprocess one image.

        Raises:
            DataError: it can't be decoded, or doesn't come out in the shape of the model's input.
        """
        item = self.items[index]
        image = to_channels(decode_colour(item.path, item.origin), self.shape[0])
        rng = np.random.default_rng((self.seed, self.epoch, index))
        try:
            pixels = preprocess(image, self.transforms, rng)
        except DataError as error:
            raise DataError(f"{item.origin}: {item.path}: {error}") from error
        if pixels.shape != self.shape:
            got, wanted = ("x".join(map(str, shape)) for shape in (pixels.shape, self.shape))
            raise DataError(
                f"{item.origin}: the transforms make {item.path} {got}, but the model reads {wanted}; "
                "add Resize, CenterCrop or RandomCrop to that size"
            )
        return (pixels,), item.label
