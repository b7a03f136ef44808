"""From one image to the objects on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from paddleprune.interfaces import Array
from paddleprune.vision.frame import restored
from paddleprune.vision.predictor import ImagePredictor, check_finite
from paddleprune_detection.config import DetectionData
from paddleprune_detection.options import DetectorOptions
from paddleprune_detection.reading import head_of

_DRAWN = 0.5
"""Least score of the objects that are drawn."""
_LINE = 300
"""Pixels of an image's shorter side for each pixel of a line's width."""
_TEXT = 0.4


class ObjectPredictor(ImagePredictor):
    """Preprocesses as the evaluation data was, and says where objects are in the image's own pixels."""

    data = DetectionData

    def __init__(
        self, options: DetectorOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]
    ) -> None:
        super().__init__(options, labels, transforms)
        self.head = head_of(options)

    def interpret(self, outputs: tuple[Array, ...], image: Array) -> dict[str, Any]:
        """The outputs for one image -> `objects`, the best first; `height` and `width` of the image.

        Of each object its `label`, `label_id`, `score`, and `bbox`: left, top, width and height in the image's pixels.

        Raises:
            DataError: an output is not a number.
        """
        check_finite(outputs)
        (found,) = self.head.decode(tuple(output[np.newaxis] for output in outputs))
        boxes = restored(found.boxes, *self.picture(image).frame)
        entries = [
            {**self.class_named(number), "score": score, "bbox": [left, top, right - left, bottom - top]}
            for (left, top, right, bottom), score, number in zip(
                boxes.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True
            )
        ]
        return {"objects": entries, "height": image.shape[0], "width": image.shape[1]}

    def draw(self, image: Array, result: dict[str, Any]) -> Array:
        """The image with the boxes, classes and scores of the objects whose score is at least 0.5."""
        picture = np.ascontiguousarray(image)
        thickness = max(1, min(image.shape[:2]) // _LINE)
        for entry in reversed(result["objects"]):  # the best one comes on top
            if entry["score"] < _DRAWN:
                continue
            left, top, width, height = entry["bbox"]
            corners = (round(left), round(top)), (round(left + width), round(top + height))
            colour = _colour(entry["label_id"])
            cv2.rectangle(picture, *corners, colour, thickness)
            _write(picture, f"{entry['label']} {entry['score']:.2f}", corners[0], colour, thickness)
        return picture


def _write(picture: Array, text: str, corner: tuple[int, int], colour: Any, thickness: int) -> None:
    """White words on a strip of the colour, above the corner, or below where there is no room."""
    size = _TEXT * thickness
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thickness)
    base = corner[1] - below if corner[1] >= height + below else corner[1] + height + below
    cv2.rectangle(picture, (corner[0], base - height), (corner[0] + width, base + below), colour, cv2.FILLED)
    cv2.putText(picture, text, (corner[0], base), cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), thickness)


def _colour(number: int) -> tuple[int, int, int]:
    """Far from that of other classes: each hue is a golden section further (BGR)."""
    hue = np.uint8(round(number * 0.618034 % 1 * 179))
    blue, green, red = cv2.cvtColor(np.array([[[hue, 200, 200]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red
