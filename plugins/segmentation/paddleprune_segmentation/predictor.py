"""From one image to the class of each of its pixels."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import TypeAdapter, ValidationError

from paddleprune.errors import ConfigError, DataError
from paddleprune.interfaces import Array, Predictor
from paddleprune.problems import first_problem
from paddleprune.specs import Contract, ImageOptions
from paddleprune.vision.decode import to_channels
from paddleprune_segmentation.data.images import COLOURS, decode_image
from paddleprune_segmentation.data.pixels import resized, visible
from paddleprune_segmentation.data.transforms import preprocess, sizes
from paddleprune_segmentation.palette import voc_palette
from paddleprune_segmentation.transform_specs import EVALUATION, Padding, Transform

_COLOUR_SHARE = 0.6
"""Of the colour of a class in the overlay; the rest is the image's."""
_TRANSFORMS: TypeAdapter[tuple[Contract, ...]] = TypeAdapter(tuple[Transform, ...])


class MaskPredictor(Predictor):
    """Preprocesses as the evaluation data was, and brings the scores back to the image's own size.

    Raises:
        ConfigError: `transforms` holds a step that this version doesn't know, or a random one.
    """

    suffixes = (*Predictor.suffixes, ".npy")

    def __init__(self, options: ImageOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]) -> None:
        try:
            self.transforms = _TRANSFORMS.validate_python([dict(step) for step in transforms])
        except ValidationError as error:
            raise ConfigError(f"the model's preprocessing can't be used: {first_problem(error)}") from error
        random = next((step for step in self.transforms if not isinstance(step, EVALUATION)), None)
        if random is not None:
            raise ConfigError(f"the model's preprocessing can't be used: {type(random).__name__} is random")
        self.channels = options.input_channels
        self.labels = tuple(labels)

    def read(self, file: Path) -> Array:
        """Colours [H, W, 3], BGR, uint8; of arrays, and for a model of other channels than 1 and 3, all bands.

        Raises:
            DataError: the file isn't an image with the channels that the model reads.
        """
        if self.channels in COLOURS and file.suffix.lower() != ".npy":
            return super().read(file)
        image = decode_image(file, self.channels, "predict")
        return image[:, :, ::-1] if self.channels == 3 else image

    def prepare(self, image: Array) -> tuple[Array, ...]:
        """An image as `read` gives it -> the model's input [C, H', W'], float32.

        Raises:
            DataError: the image doesn't have the channels that the model reads.
        """
        if self.channels in COLOURS and image.shape[2] == 3:
            image = to_channels(image, self.channels)
        if image.shape[2] != self.channels:
            raise DataError(f"the image has {image.shape[2]} channels, but the model reads {self.channels}")
        nothing = np.zeros(image.shape[:2], np.uint8)
        return (preprocess(image, nothing, self.transforms, np.random.default_rng(0))[0],)

    def interpret(self, outputs: tuple[Array, ...], image: Array) -> dict[str, Any]:
        """Class scores [classes, H', W'] -> what is where, at the image's own size.

        Returns:
            `classes`: of each class that occurs its `label`, `label_id`, `pixels` and `share` of the image, the
            largest first; `height`, `width`; `mask`: the class of every pixel, an 8-bit PNG as base64 text.

        Raises:
            DataError: a score is not a number.
        """
        scores = np.asarray(outputs[0], dtype=np.float32)
        if not np.isfinite(scores).all():
            raise DataError("the model's scores are not finite numbers; it has diverged in training")
        mask = self._restored(scores, image.shape[:2])
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

    def _restored(self, scores: Array, size: tuple[int, ...]) -> Array:
        """The class of every pixel of the image; one class after the other, as all scores at its size take memory."""
        before = sizes(self.transforms, (size[0], size[1]))
        mask, best = np.zeros(size, np.uint8), self._undone(scores[0], before)
        for number in range(1, len(scores)):
            plane = self._undone(scores[number], before)
            mask[plane > best] = number
            best = np.maximum(best, plane)
        return mask

    def _undone(self, plane: Array, before: Sequence[tuple[int, int]]) -> Array:
        """The scores of a class, [H', W'], at the image's size: what was padded is cut off, what was resized is too."""
        for step, (height, width) in zip(reversed(self.transforms), reversed(before), strict=True):
            if isinstance(step, Padding):
                plane = plane[:height, :width]
            else:
                plane = resized(plane[:, :, np.newaxis], (height, width))[:, :, 0]
        return plane

    def _entry(self, number: int, pixels: int, total: int) -> dict[str, Any]:
        label = self.labels[number] if number < len(self.labels) else str(number)
        return {"label": label, "label_id": number, "pixels": pixels, "share": pixels / total}
