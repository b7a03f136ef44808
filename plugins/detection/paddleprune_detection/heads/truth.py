"""The true objects of a batch, and the places in the outputs that answer for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from paddleprune.interfaces import Array
from paddleprune_detection.config import DetectionLoss
from paddleprune_detection.data.targets import PADDING


class Truth(NamedTuple):
    """The objects of one image.

    Attributes:
        boxes: [m, 4] float32, in pixels of the input.
        classes: [m] int64.
        weights: [m] float32.
        passed_over: [q, 4] float32: crowds, and difficult objects unless they are asked for. What lies on them needs
            to be neither an object nor background.
    """

    boxes: Array
    classes: Array
    weights: Array
    passed_over: Array


class Match(NamedTuple):
    """Which places of one image answer for which object.

    Attributes:
        places: [p] int64: numbers of places (anchors, points), each at most once.
        objects: [p] int64: the object that each answers for.
        ignored: [K] bool: places that answer for none, but needn't be background.
        shares: [p]: how much each match counts.
    """

    places: Array
    objects: Array
    ignored: Array
    shares: Array | float = 1.0


class Assignment(NamedTuple):
    """The matches of a batch, one row a match.

    Attributes:
        images: [p] int64: number of the image in the batch.
        places: [p] int64.
        boxes: [p, 4] float32: of the object.
        classes: [p] int64.
        weights: [p] float32.
        ignored: [N, K] bool.
    """

    images: Array
    places: Array
    boxes: Array
    classes: Array
    weights: Array
    ignored: Array

    def take(self, which: Array) -> Assignment:
        """Those of its rows that indices choose."""
        rows = {name: part[which] for name, part in self._asdict().items() if name != "ignored"}
        return self._replace(**rows)

    def filled(self, values: Array) -> Array:
        """[N, K]: the values [p] at the places that answer for an object, 0 at the others."""
        found = np.zeros(self.ignored.shape, np.float32)
        found[self.images, self.places] = values
        return found

    def coordinates(self) -> Array:
        """[p, 2]: image and place."""
        return np.stack([self.images, self.places], axis=1)


def no_match(ignored: Array) -> Match:
    """That of an image without objects."""
    return Match(np.zeros(0, np.int64), np.zeros(0, np.int64), ignored)


def truths(targets: dict[str, Any], config: DetectionLoss) -> list[Truth]:
    """The objects of each image of a batch; those without extent are none."""
    names = ("boxes", "classes", "difficult", "crowd", "weights")
    found = []
    for boxes, classes, difficult, crowd, weights in zip(*(np.asarray(targets[name]) for name in names), strict=True):
        there = (classes != PADDING) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        passed = there & (crowd if config.difficult else crowd | difficult)
        asked = there & ~passed
        found.append(Truth(boxes[asked], classes[asked], weights[asked], boxes[passed]))
    return found


def assign(objects: Sequence[Truth], match: Callable[[int, Truth], Match]) -> Assignment:
    """Match every image of a batch: `match` gets its number and its objects."""
    matches = [match(number, truth) for number, truth in enumerate(objects)]
    images = [np.full(len(m.places), number, np.int64) for number, m in enumerate(matches)]
    pairs = list(zip(objects, matches, strict=True))
    return Assignment(
        np.concatenate(images),
        np.concatenate([m.places for m in matches]).astype(np.int64),
        np.concatenate([truth.boxes[m.objects] for truth, m in pairs]),
        np.concatenate([truth.classes[m.objects] for truth, m in pairs]),
        np.concatenate([truth.weights[m.objects] * m.shares for truth, m in pairs]).astype(np.float32),
        np.stack([m.ignored for m in matches]),
    )
