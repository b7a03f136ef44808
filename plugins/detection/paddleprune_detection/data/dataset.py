"""The images and objects of one split, decoded and preprocessed one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddleprune.errors import ConfigError, DataError
from paddleprune.interfaces import Batch, Dataset, Sample
from paddleprune.specs import ImageOptions, Split
from paddleprune.vision.decode import decode_colour, to_channels
from paddleprune.vision.lists import read_labels
from paddleprune_detection.config import DetectionData
from paddleprune_detection.data.coco import read_coco
from paddleprune_detection.data.objects import collate_targets, frame_of
from paddleprune_detection.data.picture import Picture, mixed
from paddleprune_detection.data.records import Record, renumbered
from paddleprune_detection.data.transforms import default_transforms, preprocess
from paddleprune_detection.data.voc import read_voc
from paddleprune_detection.transform_specs import MixupImage, is_random


class ObjectDataset(Dataset):
    """Samples of ((image [C, H, W] float32,), (objects, frame, index)): see `data.objects`.

    Attributes:
        records: what the annotations say, image by image.

    Raises:
        DataError: a list or an annotation can't be used, or an image does not exist.
        ConfigError: the evaluation split has a random step.
    """

    def __init__(self, config: DetectionData, split: Split, options: ImageOptions) -> None:
        self.labels, self.records = read_records(config)
        self.shape = (options.input_channels, *options.input_size)
        defaults = default_transforms(split, options.input_size, options.input_channels)
        self.transforms = defaults if config.transforms is None else config.transforms
        self.source = config.ann_file or config.label_list
        if split == "eval":
            self._check_evaluation(config)

    def number_by(self, labels: Sequence[str], whose: str) -> None:
        """Number the classes as `whose`, by their names.

        Raises:
            DataError: the two don't have the same classes.
        """
        for here, there, what in ((self.labels, labels, "has"), (labels, self.labels, "lacks")):
            names = [repr(name) for name in here if name not in set(there)]
            if names:
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                but = "which {} lacks" if what == "has" else "which {} has"
                raise DataError(f"{self.source} {what} the class {', '.join(names[:3])}{more}, {but.format(whose)}")
        numbers = np.array([list(labels).index(name) for name in self.labels], np.int64)
        self.records = tuple(renumbered(record, numbers) for record in self.records)
        self.labels = tuple(labels)

    def _check_evaluation(self, config: DetectionData) -> None:
        random = next((step for step in self.transforms if is_random(step)), None)
        if random is not None:
            raise ConfigError(f"{type(random).__name__} is random here, which evaluation can't be; leave it out")
        if not any(len(record.objects.classes) for record in self.records):
            source = config.ann_file or config.file_list
            raise DataError(f"{source} names no object in any image, so that nothing can be evaluated")

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        """Decode and preprocess one image.

        Raises:
            DataError: it can't be decoded, isn't as large as its annotation says, or doesn't come out in the shape
                of the model's input.
        """
        record, rng = self.records[index], np.random.default_rng((self.seed, self.epoch, index))
        picture, steps = self._picture(index), self.transforms
        try:
            if steps and isinstance(steps[0], MixupImage):
                picture, steps = self._mixed(steps[0], picture, index, rng), steps[1:]
            image, objects, frame = preprocess(picture, steps, rng)
        except DataError as error:
            raise DataError(f"{record.origin}: {record.image}: {error}") from error
        if image.shape != self.shape:
            got, wanted = ("x".join(map(str, shape)) for shape in (image.shape, self.shape))
            raise DataError(
                f"{record.origin}: the transforms make {record.image} {got}, but the model reads {wanted}; "
                "add Resize or Letterbox to that size"
            )
        return (image,), (objects, frame, index)

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Inputs stacked, targets padded: see `collate_targets`."""
        return (np.stack([inputs[0] for inputs, _ in samples]),), collate_targets([target for _, target in samples])

    def _picture(self, index: int) -> Picture:
        record = self.records[index]
        image = to_channels(decode_colour(record.image, record.origin), self.shape[0])
        if image.shape[:2] != record.size:
            (height, width), (said_height, said_width) = image.shape[:2], record.size
            raise DataError(
                f"{record.origin}: {record.image} is {width} wide and {height} high, "
                f"but its annotation says {said_width} and {said_height}"
            )
        return Picture(image, record.objects, frame_of(*record.size))

    def _mixed(self, step: MixupImage, picture: Picture, index: int, rng: np.random.Generator) -> Picture:
        """With any other image of the split, drawn from the sample's own `rng`. The first epoch is number 1."""
        if self.epoch > step.mixup_epoch or len(self) == 1:
            return picture
        other = (index + int(rng.integers(1, len(self)))) % len(self)
        return mixed(picture, self._picture(other), rng.beta(step.alpha, step.beta))


def read_records(config: DetectionData) -> tuple[tuple[str, ...], tuple[Record, ...]]:
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
