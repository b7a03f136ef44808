"""What demos make real pictures of, without a download: scikit-learn's handwritten digits and its photographs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import cv2
import numpy as np

from paddleprune.dependencies import require
from paddleprune.interfaces import Array

INK = 0.35
"""A pixel belongs to a digit if it is at least so bright."""
_BRIGHTEST = 16
_EDGE = 0.2
"""How much brighter what is opaque is than what is transparent."""
_EVERY = 5
"""One digit in so many is for evaluation, as is that share of each photograph, at its right."""
_EXAMPLES = 4
"""Scenes of evaluation that are drawn."""


class Digits(NamedTuple):
    """Handwritten digits.

    Attributes:
        images: [N, 8, 8]: how bright, from 0 to 1.
        numbers: [N] int: which digit it is.
    """

    images: Array
    numbers: Array

    def of_split(self, evaluation: bool) -> Digits:
        """Those for evaluation, or the others."""
        ours = (np.arange(len(self.numbers)) % _EVERY == 0) == evaluation
        return Digits(self.images[ours], self.numbers[ours])


def load_digits(kinds: int = 10) -> Digits:
    """The 1797 digits, or those below `kinds` alone.

    Raises:
        DependencyError: scikit-learn is not installed.
    """
    data = require("sklearn.datasets", "the demo").load_digits(n_class=kinds)
    return Digits(data.images / _BRIGHTEST, data.target)


def load_photographs() -> list[Array]:
    """Two photographs, [H, W, 3], RGB, uint8.

    Raises:
        DependencyError: scikit-learn is not installed.
    """
    photographs: list[Array] = require("sklearn.datasets", "the demo").load_sample_images().images
    return photographs


def backdrop(photographs: list[Array], side: int, evaluation: bool, rng: np.random.Generator) -> Array:
    """A square part of one of the photographs, darkened: [side, side, 3]. No part for evaluation is also another's."""
    photograph = photographs[rng.integers(len(photographs))]
    border = photograph.shape[1] * (_EVERY - 1) // _EVERY
    half = photograph[:, border:] if evaluation else photograph[:, :border]
    top, left = (int(rng.integers(0, now - side + 1)) for now in half.shape[:2])
    part: Array = half[top : top + side, left : left + side] // 2
    return part


def enlarged(digit: Array, side: int) -> Array:
    """A digit at another size: [side, side]; where it is at least `INK`, there is ink."""
    ink: Array = cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC)
    return ink


def paint(scene: Array, ink: Array, corner: tuple[int, int], colour: Array) -> None:
    """Put an enlarged digit on a scene [H, W, 3] float32, its upper left corner at this row and column."""
    (height, width), (top, left) = ink.shape, corner
    part = scene[top : top + height, left : left + width]
    opacity = ((ink - INK) / _EDGE + 0.5).clip(0, 1)[:, :, np.newaxis]
    part += (opacity * (colour - part)).astype(np.float32)


def png(pixels: Array) -> bytes:
    """The file of an image, [H, W, 3] RGB or [H, W] grey, uint8."""
    image = np.ascontiguousarray(pixels[:, :, ::-1] if pixels.ndim == 3 else pixels)
    content: bytes = cv2.imencode(".png", image)[1].tobytes()
    return content


class Ground(NamedTuple):
    """What a scene is made of.

    Attributes:
        name: of its files, such as val_0003; the split is in front.
        digits: that may be placed on it.
        image: its backdrop, [side, side, 3], RGB, float32.
        rng: of all that is random about it.
        example: is it one of those that a demo draws?
    """

    name: str
    digits: Digits
    image: Array
    rng: np.random.Generator
    example: bool


def grounds(counts: Mapping[str, int], side: int, kinds: int = 10) -> Iterator[Ground]:
    """What the scenes of a demo are made of: so many of each split, `train` and `val`, the same each time.

    Digits and parts of photographs of the evaluation scenes are on no training scene.

    Raises:
        DependencyError: scikit-learn is not installed.
    """
    digits, photographs = load_digits(kinds), load_photographs()
    for split, count in counts.items():
        evaluation = split == "val"
        ours = digits.of_split(evaluation)
        for number in range(count):
            rng = np.random.default_rng((evaluation, number))
            image = backdrop(photographs, side, evaluation, rng).astype(np.float32)
            yield Ground(f"{split}_{number:04d}", ours, image, rng, evaluation and number < _EXAMPLES)


class Thrown(NamedTuple):
    """A digit that may be painted on a scene, at some place and size.

    Attributes:
        number: which digit it is.
        ink: [side, side]: how bright.
        corner: row and column of its upper left pixel.
    """

    number: int
    ink: Array
    corner: tuple[int, int]

    @property
    def part(self) -> tuple[slice, slice]:
        """The rows and columns that it covers."""
        (top, left), side = self.corner, len(self.ink)
        return slice(top, top + side), slice(left, left + side)


def throw(ground: Ground, most: int, sides: tuple[int, int]) -> Iterator[Thrown]:
    """One to `most` digits, drawn one after the other, with sides of at least and less than so many pixels."""
    (images, numbers), rng, size = ground.digits, ground.rng, len(ground.image)
    for index in rng.integers(0, len(images), rng.integers(1, most + 1)):
        side = int(rng.integers(*sides))
        top, left = (int(corner) for corner in rng.integers(0, size - side + 1, 2))
        yield Thrown(int(numbers[index]), enlarged(images[index], side), (top, left))


def as_pixels(scene: Array) -> Array:
    """A scene that is done: uint8."""
    return np.rint(scene).astype(np.uint8)
