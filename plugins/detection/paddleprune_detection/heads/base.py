"""What all heads share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from paddleprune.interfaces import Array
from paddleprune.vision.objects import MOST
from paddleprune_detection.config import DetectionLoss

if TYPE_CHECKING:
    from paddle import Tensor

_FARTHEST = 1e5
"""Coordinates beyond are cut off: they can only be those of a model that has diverged."""


class Detections(NamedTuple):
    """The objects that a model finds on one image, the best first.

    Attributes:
        boxes: [k, 4] float32: left, top, right, bottom, in pixels of the input.
        scores: [k] float32.
        classes: [k] int64.
    """

    boxes: Array
    scores: Array
    classes: Array


class Candidates(NamedTuple):
    """What may be an object, of all images of a batch; each array has one row a candidate.

    Attributes:
        images: [k] int64: number of the image in the batch.
        boxes: [k, 4] float32: left, top, right, bottom, in pixels of the input.
        scores: [k] float32.
        classes: [k] int64.
    """

    images: Array
    boxes: Array
    scores: Array
    classes: Array

    def take(self, which: Array) -> Candidates:
        """Those that a mask or indices choose."""
        return Candidates(*(part[which] for part in self))


class Limits(NamedTuple):
    """What of a model's outputs is reported.

    Attributes:
        score: objects with a lower one aren't.
        overlap: of two objects of a class that overlap more, the better one is.
        objects: of an image, at most.
    """

    score: float
    overlap: float
    objects: int


class Head(ABC):
    """Reads a model's raw outputs.

    Args:
        classes: how many there are.
        limits: what is reported.
    """

    def __init__(self, classes: int, limits: Limits) -> None:
        self.classes, self.limits = classes, limits

    @abstractmethod
    def loss(self, outputs: tuple[Tensor, ...], targets: dict[str, Tensor], config: DetectionLoss) -> Tensor:
        """What training minimises: a scalar, from a batch's outputs and its targets as `collate_targets` makes them."""

    @abstractmethod
    def candidates(self, outputs: tuple[Array, ...]) -> Candidates:
        """Everything in a batch's outputs whose score exceeds the threshold; NaN exceeds nothing."""

    @abstractmethod
    def everything(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Every box of a batch and its scores, whatever they are, in operations that can be traced.

        Returns:
            Boxes [N, K, 4] in pixels of the input, and scores [N, classes, K], as `candidates` has them.
        """

    def decode(self, outputs: tuple[Array, ...]) -> list[Detections]:
        """The objects on each image of a batch, after suppression of those that overlap a better one of their class.

        Args:
            outputs: the model's, as NumPy arrays; the first axis of each is the batch.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # of a diverged model; what is no number is dropped
            found = self.candidates(outputs)
        return suppressed(found, len(outputs[0]), self.limits.overlap, self.limits.objects)


def suppressed(found: Candidates, images: int, threshold: float, most: int) -> list[Detections]:
    """Greedy non-maximum suppression, for each image and each class alone.

    The best candidate stays, those of its class that overlap it by more than `threshold` go, and so on.

    Args:
        found: candidates of the whole batch.
        images: how many images the batch has.
        threshold: intersection over union.
        most: objects of an image that are kept.
    """
    kinds = (np.int64, np.float32, np.float32, np.int64)
    found = Candidates(*(part.astype(kind) for part, kind in zip(found, kinds, strict=True)))
    found = _best(found.take(np.flatnonzero(np.isfinite(found.boxes).all(axis=1))), images, MOST)
    if len(found.images) > 0:
        boxes = np.clip(found.boxes.astype(np.float64), -_FARTHEST, _FARTHEST)
        boxes[:, 2:] = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
        # OpenCV keeps groups apart by moving each beyond the largest coordinate, which takes positive ones.
        boxes[:, :2] -= boxes[:, :2].min()
        groups = found.images * (found.classes.max() + 1) + found.classes
        # Its annotations ask for lists, but it takes arrays, and faster.
        suppress: Any = cv2.dnn.NMSBoxesBatched
        kept = suppress(boxes, found.scores, groups.astype(np.int32), -1.0, threshold)
        found = _best(found.take(np.sort(np.ravel(np.asarray(kept))).astype(np.int64)), images, most)
    starts = np.searchsorted(found.images, np.arange(images + 1))
    return [Detections(*(part[a:b] for part in found[1:])) for a, b in pairwise(starts)]


def _best(found: Candidates, images: int, most: int) -> Candidates:
    """The candidates of each image with the highest scores, at most so many; image by image, the best first."""
    found = found.take(np.lexsort((-found.scores, found.images)))
    rank = np.arange(len(found.images)) - np.searchsorted(found.images, np.arange(images))[found.images]
    return found.take(np.flatnonzero(rank < most))


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def logit(probability: float) -> float:
    """The number whose sigmoid is `probability`, without infinities."""
    bounded = min(max(probability, 1e-12), 1 - 1e-12)
    return float(np.log(bounded / (1 - bounded)))
