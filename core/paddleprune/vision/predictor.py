"""From one image to what a model says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from paddleprune.errors import ConfigError, DataError
from paddleprune.interfaces import Array, Predictor
from paddleprune.problems import first_problem
from paddleprune.specs import Contract, DatasetConfig, ImageOptions
from paddleprune.vision.decode import to_channels
from paddleprune.vision.picture import Picture
from paddleprune.vision.sizes import undone
from paddleprune.vision.specs import random_step
from paddleprune.vision.transforms import preprocess


class ImagePredictor(Predictor):
    """Preprocesses as the evaluation data was. A task's own names its `data`, and says what outputs mean.

    Raises:
        ConfigError: `transforms` holds a step that this version doesn't know, or a random one.
    """

    data: ClassVar[type[DatasetConfig]]
    """The configuration of the task's data, whose `transforms` say which steps there are."""
    repeatable: ClassVar[bool] = True
    """No step may be random."""

    def __init__(self, options: ImageOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]) -> None:
        self.transforms = steps_of(self.data, transforms)
        random = random_step(self.transforms)
        if self.repeatable and random is not None:
            raise ConfigError(f"the model's preprocessing can't be used: {random} is random")
        self.channels, self.labels = options.input_channels, tuple(labels)

    def picture(self, image: Array) -> Picture:
        """What `read` gives, [H, W, 3] BGR uint8, as the model's input and how that lies in the image."""
        return self.preprocessed(to_channels(image, self.channels))

    def preprocessed(self, pixels: Array) -> Picture:
        """After all steps: [H, W, C] in the model's channels -> an image [C, H', W'], float32."""
        return preprocess(Picture.of(pixels), self.transforms, np.random.default_rng(0))

    def prepare(self, image: Array) -> tuple[Array, ...]:
        """What `read` gives -> the model's input [C, H', W'], float32."""
        return (self.picture(image).image,)

    def restored(self, plane: Array, size: tuple[int, int]) -> Array:
        """What outputs say of each pixel of the input, [H', W'], at the image's own height and width."""
        return undone(plane, self.transforms, size)

    def class_named(self, number: int) -> dict[str, Any]:
        """The `label` and `label_id` of a class, for a result."""
        return {"label": self.labels[number] if number < len(self.labels) else str(number), "label_id": number}


def check_finite(outputs: Sequence[Array]) -> None:
    """Refuse what says nothing.

    Raises:
        DataError: an output is not a number.
    """
    if not all(np.isfinite(output).all() for output in outputs):
        raise DataError("the model's outputs are not finite numbers; it has diverged in training")


def steps_of(data: type[DatasetConfig], transforms: Sequence[Mapping[str, Any]]) -> tuple[Contract, ...]:
    """The steps that a checkpoint stores.

    Args:
        data: the configuration of the task's data.
        transforms: the steps' JSON form.

    Raises:
        ConfigError: there is one that this version doesn't know.
    """
    known: Any = data.model_fields["transforms"].annotation
    try:
        steps: tuple[Contract, ...] = TypeAdapter(known).validate_python([dict(step) for step in transforms])
    except ValidationError as error:
        raise ConfigError(f"the model's preprocessing can't be used: {first_problem(error)}") from error
    return steps
