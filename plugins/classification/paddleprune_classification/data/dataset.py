"""The images of one split, decoded and preprocessed one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paddleprune.specs import Contract, ImageOptions, Split
from paddleprune.vision.dataset import ImageDataset
from paddleprune.vision.lists import read_labels
from paddleprune.vision.picture import Picture
from paddleprune_classification.config import ClassificationData
from paddleprune_classification.data.lists import LabelledImage, class_numbers, read_items, scan_folders
from paddleprune_classification.data.transforms import default_transforms


class ClassDataset(ImageDataset):
    """Samples of ((image [C, H, W] float32,), class number).

    Raises:
        DataError: a list or folder can't be used, or an image does not exist.
    """

    items: Sequence[LabelledImage]
    fitting = "Resize, CenterCrop or RandomCrop"
    repeatable = False

    def __init__(self, config: ClassificationData, split: Split, options: ImageOptions) -> None:
        if config.file_list is not None and config.label_list is not None:
            self.labels = read_labels(config.label_list)
            self.items = read_items(config.file_list, config.data_dir, len(self.labels))
        else:
            self.labels, self.items = scan_folders(config.data_dir)
        self._numbers = class_numbers(self.items, len(self.labels))
        super().__init__(config, split, options)

    def defaults(self, split: Split, channels: int, height: int, width: int) -> Sequence[Contract]:
        """Crops; see `default_transforms`."""
        return default_transforms(split, (height, width), channels)

    def targets(self) -> Iterator[int]:
        """The class number of every image."""
        return iter(self._numbers)

    def target(self, index: int, picture: Picture) -> int:
        """The class number."""
        return self._numbers[index]
