"""The images and objects of one split, decoded and preprocessed one at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from paddleprune.console import listed
from paddleprune.errors import DataError
from paddleprune.files import read_bytes
from paddleprune.interfaces import Batch, Sample
from paddleprune.specs import Contract, ImageOptions, Split
from paddleprune.vision.dataset import ImageDataset
from paddleprune.vision.lists import read_labels
from paddleprune.vision.picture import Picture
from paddleprune.vision.transforms import Rng, preprocess
from paddleprune_detection.config import DetectionData
from paddleprune_detection.data.coco import read_coco
from paddleprune_detection.data.mixture import mixed
from paddleprune_detection.data.records import Record, Renumbered
from paddleprune_detection.data.targets import Target, collate_targets
from paddleprune_detection.data.transforms import default_transforms
from paddleprune_detection.data.voc import read_voc
from paddleprune_detection.transform_specs import MixupImage


class ObjectDataset(ImageDataset):
    """Samples of ((image [C, H, W] float32,), (objects, frame, index)): see `data.targets`.

    Attributes:
        items: what the annotations say, image by image.

    Raises:
        DataError: a list or an annotation can't be used, or an image does not exist.
        ConfigError: the evaluation split has a random step.
    """

    items: Sequence[Record]
    fitting = "Resize or Letterbox"

    def __init__(self, config: DetectionData, split: Split, options: ImageOptions) -> None:
        self.labels, self.items = read_records(config)
        super().__init__(config, split, options)
        self.source = config.ann_file or config.label_list
        self._listing = config.ann_file or config.file_list
        if split == "eval" and not any(len(record.objects.classes) for record in self.items):
            raise DataError(f"{self._listing} names no object in any image, so that nothing can be evaluated")

    def defaults(self, split: Split, channels: int, height: int, width: int) -> Sequence[Contract]:
        """Distorted, expanded and cropped; see `default_transforms`."""
        return default_transforms(split, (height, width), channels)

    def number_by(self, labels: Sequence[str], whose: str) -> None:
        """Number the classes as `whose`, by their names.

        Raises:
            DataError: the two don't have the same classes.
        """
        for here, there, what in ((self.labels, labels, "has"), (labels, self.labels, "lacks")):
            names = [repr(name) for name in here if name not in set(there)]
            if names:
                but = "which {} lacks" if what == "has" else "which {} has"
                raise DataError(f"{self.source} {what} the class {listed(names)}, {but.format(whose)}")
        numbers = np.array([list(labels).index(name) for name in self.labels], np.int64)
        self.items = Renumbered(self.items, numbers)
        self.labels = tuple(labels)

    def listing(self) -> str:
        """A hash of the file that names the images."""
        assert self._listing is not None
        return hashlib.sha256(read_bytes(self._listing, DataError)).hexdigest()

    def picture(self, index: int) -> Picture:
        """The image as its file has it, and its objects.

        Raises:
            DataError: it can't be decoded, or isn't as large as its annotation says.
        """
        record = self.items[index]
        picture = self.opened(record)
        if picture.size != record.size:
            (height, width), (said_height, said_width) = picture.size, record.size
            raise DataError(
                f"{record.origin}: {record.image} is {width} wide and {height} high, "
                f"but its annotation says {said_width} and {said_height}"
            )
        return picture._replace(objects=record.objects)

    def preprocessed(self, picture: Picture, index: int, rng: Rng) -> Picture:
        """After all steps, the first of which may mix in another image."""
        first, *others = self.transforms or (None,)
        if not isinstance(first, MixupImage):
            return super().preprocessed(picture, index, rng)
        return preprocess(self._mixed(first, picture, index, rng), others, rng)

    def target(self, index: int, picture: Picture) -> Target:
        """The objects that are left, and where they were."""
        return picture.objects, picture.frame, index

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Inputs stacked, targets padded: see `collate_targets`."""
        return (np.stack([inputs[0] for inputs, _ in samples]),), collate_targets([target for _, target in samples])

    def _mixed(self, step: MixupImage, picture: Picture, index: int, rng: Rng) -> Picture:
        """With any other image of the split, drawn from the sample's own `rng`. The first epoch is number 1."""
        if self.epoch > step.mixup_epoch or len(self) == 1:
            return picture
        other = (index + int(rng.integers(1, len(self)))) % len(self)
        return mixed(picture, self.picture(other), rng.beta(step.alpha, step.beta))


def read_records(config: DetectionData) -> tuple[tuple[str, ...], Sequence[Record]]:
    """The names of the classes, and the images with their objects, of a split in either layout.

    Raises:
        DataError: a list or an annotation can't be used, or an image does not exist.
    """
    if config.ann_file is not None:
        return read_coco(config.ann_file, config.data_dir)
    assert config.file_list is not None
    assert config.label_list is not None
    labels = read_labels(config.label_list)
    return labels, read_voc(config.file_list, config.data_dir, labels)
