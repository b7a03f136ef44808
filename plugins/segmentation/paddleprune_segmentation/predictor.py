"""From one image to the class of each of its pixels."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.vision.decode import to_channels
from paddleprune.vision.picture import Picture
from paddleprune.vision.pixels import visible
from paddleprune.vision.predictor import ImagePredictor, check_finite
from paddleprune_segmentation.config import SegmentationData
from paddleprune_segmentation.data.images import COLOURS, decode_image
from paddleprune_segmentation.palette import voc_palette

_COLOUR_SHARE = 0.6
"""Of the colour of a class in the overlay; the rest is the image's."""


class MaskPredictor(ImagePredictor):
    """Preprocesses as the evaluation data was, and brings the scores back to the image's own size."""

    data = SegmentationData
    suffixes = (*ImagePredictor.suffixes, ".npy")

    def read(self, file: Path) -> Array:
        """Colours [H, W, 3], BGR, uint8; of arrays, and for a model of other channels than 1 and 3, all bands.

        Raises:
            DataError: the file isn't an image with the channels that the model reads.
        """
        if self.channels in COLOURS and file.suffix.lower() != ".npy":
            return super().read(file)
        image = decode_image(file, self.channels, "predict")
        return image[:, :, ::-1] if self.channels == 3 else image

    def picture(self, image: Array) -> Picture:
        """An image as `read` gives it, as the model's input.

        Raises:
            DataError: the image doesn't have the channels that the model reads.
        """
        if self.channels in COLOURS and image.shape[2] == 3:
            image = to_channels(image, self.channels)
        if image.shape[2] != self.channels:
            raise DataError(f"the image has {image.shape[2]} channels, but the model reads {self.channels}")
        return self.preprocessed(image)

    def interpret(self, outputs: tuple[Array, ...], image: Array) -> dict[str, Any]:
        """Class scores [classes, H', W'] -> what is where, at the image's own size.

        Returns:
            `classes`: of each class that occurs its `label`, `label_id`, `pixels` and `share` of the image, the
            largest first; `height`, `width`; `mask`: the class of every pixel, an 8-bit PNG as base64 text.

        Raises:
            DataError: a score is not a number.
        """
        scores = np.asarray(outputs[0], dtype=np.float32)
        check_finite([scores])
        mask = self._best(scores, (image.shape[0], image.shape[1]))
        counts = np.bincount(mask.ravel())
        found = sorted(np.flatnonzero(counts).tolist(), key=lambda number: -counts[number])
        return {
            "classes": [self._entry(number, int(counts[number]), mask.size) for number in found],
            "height": mask.shape[0],
            "width": mask.shape[1],
            "mask": base64.b64encode(cv2.imencode(".png", mask)[1].tobytes()).decode(),
        }

    def draw(self, image: Array, result: dict[str, Any]) -> Array:
        """The image under the colours of the classes, and the colours alone beside it: [H, 2 W, 3], BGR."""
        content = np.frombuffer(base64.b64decode(result["mask"]), np.uint8)
        mask = np.asarray(cv2.imdecode(content, cv2.IMREAD_UNCHANGED))
        colours = voc_palette()[:, ::-1][mask]
        image = visible(image)
        mixed = np.rint(_COLOUR_SHARE * colours + (1 - _COLOUR_SHARE) * image).astype(np.uint8)
        overlay = np.where((mask > 0)[:, :, np.newaxis], mixed, image)
        return np.hstack([overlay, colours])

    def _best(self, scores: Array, size: tuple[int, int]) -> Array:
        """The class of every pixel of the image; one class after the other, as all scores at its size take memory."""
        mask, best = np.zeros(size, np.uint8), self.restored(scores[0], size)
        for number in range(1, len(scores)):
            plane = self.restored(scores[number], size)
            mask[plane > best] = number
            best = np.maximum(best, plane)
        return mask

    def _entry(self, number: int, pixels: int, total: int) -> dict[str, Any]:
        return {**self.class_named(number), "pixels": pixels, "share": pixels / total}
