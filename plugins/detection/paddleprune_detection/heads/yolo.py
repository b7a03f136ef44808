"""YOLOv3's head, from Redmon & Farhadi, "YOLOv3: An Incremental Improvement" (2018), section 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import Array
from paddleprune_detection.config import DetectionLoss
from paddleprune_detection.heads.base import Candidates, Head, Limits, logit, sigmoid
from paddleprune_detection.heads.boxes import bounded_exp, cells, corners, lies_on, overlap_loss, overlaps, smooth_l1
from paddleprune_detection.heads.terms import at, binary, joined, one_hot
from paddleprune_detection.heads.truth import Match, Truth, assign, truths

Anchors: TypeAlias = Sequence[tuple[float, float]]
STRIDES = (32, 16, 8)
_COCO = ((10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326))
_COCO_INPUT = 416
_NUMBERS = 5
"""Of a box, before the classes: x, y, width, height, and whether there is an object."""


_OVERLAP_WEIGHT = 2.5
"""Of a loss by overlap beside the family's own (Long et al., "PP-YOLO", 2020, section 3.2)."""


class YoloHead(Head):
    """Outputs: [N, A * (5 + classes), H, W] at strides 32, 16 and 8, before any sigmoid; A anchors a level.

    Args:
        classes: how many there are.
        limits: what is reported.
        size: height and width of the input.
        anchors: their widths and heights, in pixels of the input, the smallest first; those of COCO by default.
        ignored: boxes that overlap an object more than this needn't be background.
    """

    def __init__(
        self, classes: int, limits: Limits, size: tuple[int, int], anchors: Anchors | None, ignored: float
    ) -> None:
        super().__init__(classes, limits)
        self.size, self.ignored = size, ignored
        height, width = size
        sizes = anchors or [(w * width / _COCO_INPUT, h * height / _COCO_INPUT) for w, h in _COCO]
        self.anchors = np.asarray(sizes, np.float32).reshape(len(STRIDES), -1, 2)[::-1]
        """[3, A, 2]: width and height, of the coarsest level first."""

    def candidates(self, outputs: tuple[Array, ...]) -> Candidates:
        """Every class of every box whose score, that of an object times that of the class, exceeds the threshold."""
        parts = [self._on_level(level, output) for level, output in enumerate(outputs)]
        return Candidates(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _on_level(self, level: int, output: Array) -> Candidates:
        count, _, height, width = output.shape
        anchors, threshold = self.anchors[level], self.limits.score
        maps = output.reshape(count, len(anchors), -1, height, width)
        image, anchor, row, column = np.nonzero(maps[:, :, 4] > logit(threshold))  # the product can't be higher
        numbers = maps[image, anchor, :, row, column]
        here = Places([], np.stack([column, row], axis=1), np.asarray(STRIDES[level]), anchors[anchor])
        boxes = _boxes(sigmoid(numbers[:, :2]), numbers[:, 2:4], here)
        scores = sigmoid(numbers[:, 4:5]) * sigmoid(numbers[:, _NUMBERS:])
        which, kind = np.nonzero(scores > threshold)
        return Candidates(image[which], boxes[which], scores[which, kind], kind)

    def everything(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Every class of every box."""
        rows = joined(outputs, _NUMBERS + self.classes)
        places = self._places([(int(output.shape[2]), int(output.shape[3])) for output in outputs])
        boxes = _boxes(F.sigmoid(rows[..., :2]), rows[..., 2:4], places)
        return boxes, (F.sigmoid(rows[..., 4:5]) * F.sigmoid(rows[..., _NUMBERS:])).transpose([0, 2, 1])

    def loss(self, outputs: tuple[Tensor, ...], targets: dict[str, Tensor], config: DetectionLoss) -> Tensor:
        """Box, object and class terms, each summed over the batch and divided by the number of objects in it.

        Each object is learnt by the one anchor of all levels whose shape is most like it, in the cell of its centre.
        As the family's own, a box's centre has a cross entropy and its size a smooth L1 loss of the logarithm, both
        with 2 minus the box's share of the image as a factor, so that small boxes count too.
        """
        rows = joined(outputs, _NUMBERS + self.classes)
        places = self._places([tuple(output.shape[2:]) for output in outputs])
        now = rows.detach().numpy()
        said = _boxes(sigmoid(now[..., :2]), now[..., 2:4], places)
        found = assign(truths(targets, config), lambda image, truth: self._match(said[image], places, truth))
        there = paddle.to_tensor(found.filled(found.weights))
        counted = paddle.to_tensor((~found.ignored).astype(np.float32))
        total = (binary(rows[:, :, 4], there) * counted).sum()
        if len(found.images):
            chosen, here = at(rows, found), places.take(found.places)
            kinds = binary(chosen[:, _NUMBERS:], one_hot(found.classes, self.classes)).sum(1)
            boxes = self._own(chosen, here, found.boxes)
            if config.box != "own":
                guessed = _boxes(F.sigmoid(chosen[:, :2]), chosen[:, 2:4], here)
                boxes = boxes + _OVERLAP_WEIGHT * overlap_loss(guessed, paddle.to_tensor(found.boxes), config.box)
            total = total + ((kinds + boxes) * paddle.to_tensor(found.weights)).sum()
        return total / max(1.0, float(found.weights.sum()))

    def _own(self, chosen: Tensor, here: Places, boxes: Array) -> Tensor:
        sizes = boxes[:, 2:] - boxes[:, :2]
        within = np.clip((boxes[:, :2] + sizes / 2) / here.strides - here.cells, 0, 1)
        centre = binary(chosen[:, :2], paddle.to_tensor(within)).sum(1)
        size = smooth_l1(chosen[:, 2:4] - paddle.to_tensor(np.log(sizes / here.anchors))).sum(1)
        height, width = self.size
        factor = 2 - np.clip(sizes.prod(axis=1) / (height * width), 0, 1)
        return (centre + size) * paddle.to_tensor(factor)

    def _match(self, said: Array, places: Places, truth: Truth) -> Match:
        ignored = lies_on(said, truth.passed_over)
        sizes = truth.boxes[:, 2:] - truth.boxes[:, :2]
        shapes = self.anchors.reshape(-1, 2)
        likeness = overlaps(np.concatenate([-sizes, sizes], 1) / 2, np.concatenate([-shapes, shapes], 1) / 2)
        level, anchor = np.divmod(likeness.argmax(axis=1), self.anchors.shape[1])
        grids = np.asarray(places.grids)[level]
        cell = (truth.boxes[:, :2] + sizes / 2) // np.asarray(STRIDES)[level][:, np.newaxis]
        column, row = np.clip(cell, 0, grids[:, ::-1] - 1).astype(np.int64).T
        starts = np.cumsum([0, *(h * w * self.anchors.shape[1] for h, w in places.grids)])
        each = starts[level] + (row * grids[:, 1] + column) * self.anchors.shape[1] + anchor
        place, number = np.unique(each, return_index=True)  # of objects that want the same place the first has it
        if len(each):
            ignored |= overlaps(said, truth.boxes).max(axis=1) > self.ignored
            ignored[place] = False
        return Match(place, number, ignored)

    def _places(self, grids: list[tuple[int, int]]) -> Places:
        count = self.anchors.shape[1]
        sizes = [height * width for height, width in grids]
        return Places(
            grids,
            np.concatenate([np.repeat(cells(*grid), count, axis=0) for grid in grids]),
            np.repeat(np.asarray(STRIDES, np.float32), np.asarray(sizes) * count)[:, np.newaxis],
            np.concatenate([np.tile(a, (n, 1)) for a, n in zip(self.anchors, sizes, strict=True)]),
        )


class Places(NamedTuple):
    """Every anchor in every cell of every level, in the order of `as_rows`.

    Attributes:
        grids: height and width of each level's map.
        cells: [K, 2]: column and row of the cell.
        strides: [K, 1]: pixels of the input a cell.
        anchors: [K, 2]: width and height.
    """

    grids: list[tuple[int, int]]
    cells: Array
    strides: Array
    anchors: Array

    def take(self, which: Array) -> Places:
        """Those that indices choose."""
        return self._replace(cells=self.cells[which], strides=self.strides[which], anchors=self.anchors[which])


def _boxes(inside: Any, logarithms: Any, places: Places) -> Any:
    """Boxes [..., 4] of a centre's place in its cell, 0 to 1, and a size over the anchor's; arrays, or tensors."""
    cells, strides, anchors = places.cells, places.strides, places.anchors
    if not isinstance(inside, np.ndarray):
        cells, strides, anchors = map(paddle.to_tensor, (cells, strides, anchors))
    return corners((inside + cells) * strides, bounded_exp(logarithms) * anchors / 2)
