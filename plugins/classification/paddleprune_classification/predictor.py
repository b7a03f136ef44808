"""From one image to a class with a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from pydantic import TypeAdapter, ValidationError

from paddleprune.errors import ConfigError, DataError
from paddleprune.interfaces import Array, Predictor
from paddleprune.problems import first_problem
from paddleprune.specs import Contract, ImageOptions
from paddleprune.vision.decode import to_channels
from paddleprune_classification.data.transforms import preprocess
from paddleprune_classification.transform_specs import Transform

_SHOWN = 5
_BANNER = 28
_NARROWEST = 320
_TRANSFORMS: TypeAdapter[tuple[Contract, ...]] = TypeAdapter(tuple[Transform, ...])


class ClassPredictor(Predictor):
    """Preprocesses as the evaluation data was, and names the best classes.

    Raises:
        ConfigError: `transforms` holds a step that this version doesn't know.
    """

    def __init__(self, options: ImageOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]) -> None:
        try:
            self.transforms = _TRANSFORMS.validate_python([dict(step) for step in transforms])
        except ValidationError as error:
            raise ConfigError(f"the model's preprocessing can't be used: {first_problem(error)}") from error
        self.channels = options.input_channels
        self.labels = tuple(labels)

    def prepare(self, image: Array) -> tuple[Array, ...]:
        """[H, W, 3], BGR, uint8 -> the model's input [C, H', W'], float32."""
        return (preprocess(to_channels(image, self.channels), self.transforms, np.random.default_rng(0)),)

    def interpret(self, outputs: tuple[Array, ...], image: Array) -> dict[str, Any]:
        """Class scores [classes] -> `label`, `label_id`, `score` (its probability) and `top`, the best five alike.

        Raises:
            DataError: a score is not a number.
        """
        logits = np.asarray(outputs[0], dtype=np.float64).reshape(-1)
        if not np.isfinite(logits).all():
            raise DataError("the model's scores are not finite numbers; it has diverged in training")
        weights = np.exp(logits - logits.max())
        scores = weights / weights.sum()
        best = np.argsort(-scores, kind="stable")[:_SHOWN]
        top = [self._entry(int(number), float(scores[number])) for number in best]
        return {**top[0], "top": top}

    def draw(self, image: Array, result: dict[str, Any]) -> Array:
        """The image (enlarged where it is tiny) under a line with the class and its probability."""
        factor = max(1, -(-_NARROWEST // image.shape[1]))
        picture = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
        canvas: Array = cv2.copyMakeBorder(picture, _BANNER, 0, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        text = f"{result['label']} {result['score']:.1%}"
        cv2.putText(canvas, text, (6, _BANNER - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
        return canvas

    def _entry(self, number: int, score: float) -> dict[str, Any]:
        label = self.labels[number] if number < len(self.labels) else str(number)
        return {"label": label, "label_id": number, "score": score}
