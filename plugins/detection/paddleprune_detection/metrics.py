"""How well objects are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from paddleprune.interfaces import Array, Metric
from paddleprune_detection.coco_precision import coco_precision
from paddleprune_detection.config import DetectionMetricConfig
from paddleprune_detection.data.objects import restored
from paddleprune_detection.results import Result
from paddleprune_detection.voc_precision import voc_precision

Decode: TypeAlias = Callable[[tuple[Array, ...]], Sequence[Any]]
"""(the model's outputs) -> of each image its `boxes` [k, 4] in pixels of the input, `scores` [k] and `classes` [k]."""


class DetectionMetric(Metric):
    """`bbox_map` (primary) and `ap_<class>`; COCO's kind adds `bbox_map_50`.

    COCO's is the mean over the overlaps 0.5, 0.55, ..., 0.95, VOC's that at `overlap` alone; each is the mean over
    the classes that have an object. A class that has none has -1, as in COCO. Boxes are compared in the pixels of the
    original images. Crowds, and difficult objects unless the configuration counts them, are neither right nor wrong.
    Detections that are no numbers, of a model that has diverged, are none.
    """

    primary = "bbox_map"

    def __init__(self, decode: Decode, labels: Sequence[str], config: DetectionMetricConfig) -> None:
        self.decode, self.labels, self.config = decode, tuple(labels), config
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self.results: list[Result] = []

    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        """Take in a batch: the outputs as `decode` reads them, the targets as the dataset collates them."""
        for row, found in enumerate(self.decode(outputs)):
            self.results.append(self._result(found, {name: part[row] for name, part in targets.items()}))

    def _result(self, found: Any, target: dict[str, Array]) -> Result:
        frame = target["scale"], target["offset"], target["size"]
        finite = np.isfinite(found.scores) & np.isfinite(found.boxes).all(1)
        there = target["classes"] >= 0
        ignored = target["crowd"] | (target["difficult"] & (not self.config.difficult))
        return Result(
            restored(found.boxes[finite], *frame),
            found.scores[finite].astype(np.float64),
            found.classes[finite].astype(np.int64),
            restored(target["boxes"][there], *frame),
            target["classes"][there],
            ignored[there],
        )

    def accumulate(self) -> list[float]:
        """The values over all images since `reset`; 0 where no class has an object."""
        if self.config.kind == "voc":
            of_classes = voc_precision(self.results, len(self.labels), self.config.overlap, self.config.integral)
            means = [_mean(of_classes)]
        else:
            precision = coco_precision(self.results, len(self.labels))
            of_classes = precision.mean(0)
            means = [_mean(of_classes), _mean(precision[0])]
        return [*means, *np.nan_to_num(of_classes, nan=-1.0).tolist()]

    def name(self) -> list[str]:
        """`bbox_map`, for COCO `bbox_map_50`, `ap_<class>`."""
        means = ["bbox_map"] if self.config.kind == "voc" else ["bbox_map", "bbox_map_50"]
        return [*means, *(f"ap_{label}" for label in self.labels)]


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else 0.0
