"""From one image to a class with a name."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from paddleprune.interfaces import Array
from paddleprune.vision.predictor import ImagePredictor, check_finite
from paddleprune_classification.config import ClassificationData

_SHOWN = 5
_BANNER = 28
_NARROWEST = 320


class ClassPredictor(ImagePredictor):
    """Preprocesses as the evaluation data was, and names the best classes."""

    data = ClassificationData
    repeatable = False

    def interpret(self, outputs: tuple[Array, ...], image: Array) -> dict[str, Any]:
        """Class scores [classes] -> `label`, `label_id`, `score` (its probability) and `top`, the best five alike.

        Raises:
            DataError: a score is not a number.
        """
        logits = np.asarray(outputs[0], dtype=np.float64).reshape(-1)
        check_finite([logits])
        weights = np.exp(logits - logits.max())
        scores = weights / weights.sum()
        best = np.argsort(-scores, kind="stable")[:_SHOWN]
        top = [{**self.class_named(int(number)), "score": float(scores[number])} for number in best]
        return {**top[0], "top": top}

    def draw(self, image: Array, result: dict[str, Any]) -> Array:
        """The image (enlarged where it is tiny) under a line with the class and its probability."""
        factor = max(1, -(-_NARROWEST // image.shape[1]))
        picture = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
        canvas: Array = cv2.copyMakeBorder(picture, _BANNER, 0, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        text = f"{result['label']} {result['score']:.1%}"
        cv2.putText(canvas, text, (6, _BANNER - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
        return canvas
