"""The images and masks of one split, decoded and preprocessed one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.specs import Contract, ImageOptions, Split
from paddleprune.vision.dataset import ImageDataset
from paddleprune.vision.picture import Picture
from paddleprune_segmentation.config import SegmentationData
from paddleprune_segmentation.data.images import decode_image, decode_mask
from paddleprune_segmentation.data.lists import Pair, read_labels, read_pairs
from paddleprune_segmentation.data.occurrence import check_classes
from paddleprune_segmentation.data.transforms import default_transforms


class MaskDataset(ImageDataset):
    """Samples of ((image [C, H, W] float32,), mask [H, W] uint8: the class of each pixel, 255 to ignore it).

    Raises:
        DataError: a list can't be used, an image or mask does not exist, or the masks can't be meant.
        ConfigError: the evaluation split has a random step.
    """

    items: Sequence[Pair]
    fitting = "Resize, Padding or RandomPaddingCrop"

    def __init__(self, config: SegmentationData, split: Split, options: ImageOptions) -> None:
        self.labels = read_labels(config.label_list)
        self.items = read_pairs(config.file_list, config.data_dir)
        check_classes(self.items, self.labels, split, config.file_list)
        super().__init__(config, split, options)

    def defaults(self, split: Split, channels: int, height: int, width: int) -> Sequence[Contract]:
        """Scaled and cropped; see `default_transforms`."""
        return default_transforms(split, (height, width))

    def targets(self) -> Iterator[Array]:
        """Every mask as its file has it."""
        return (decode_mask(pair.mask, len(self.labels), pair.origin) for pair in self.items)

    def picture(self, index: int) -> Picture:
        """The image and its mask, as their files have them.

        Raises:
            DataError: one of them can't be decoded, or they don't fit each other.
        """
        pair = self.items[index]
        image = decode_image(pair.image, self.shape[0], pair.origin)
        mask = decode_mask(pair.mask, len(self.labels), pair.origin)
        if image.shape[:2] != mask.shape:
            sizes = (f"{height}x{width}" for height, width in (mask.shape, image.shape[:2]))
            raise DataError("{}: mask {} is {}, but its image is {}".format(pair.origin, pair.mask, *sizes))
        return Picture.of(image, mask)

    def target(self, index: int, picture: Picture) -> Array | None:
        """The mask that came out."""
        return picture.mask
