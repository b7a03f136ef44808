"""How well objects are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from paddleprune.interfaces import Array, Metric
from paddleprune.vision.frame import restored
from paddleprune_detection.coco_precision import SIZES, coco_precision
from paddleprune_detection.config import VOC_OVERLAP, DetectionMetricConfig
from paddleprune_detection.results import Result
from paddleprune_detection.voc_precision import voc_precision

Decode: TypeAlias = Callable[[tuple[Array, ...]], Sequence[Any]]
"""(the model's outputs) -> of each image its `boxes` [k, 4] in pixels of the input, `scores` [k] and `classes` [k]."""


class DetectionMetric(Metric):
    """Mean average precision, COCO's (`bbox_map`) or VOC's (`voc_map`, at 11 points `voc_map_11`).

    VOC's at another overlap than 0.5 says so in its name (0.75: `voc_map_at_75`), so that tables keep them apart.

    COCO's is the mean over the overlaps 0.5, 0.55, ..., 0.95, with that at 0.5 alone beside it (`bbox_map_50`), VOC's
    that at `overlap`; each is the mean over the classes that have an object. With `sizes` COCO's of small, medium and
    large objects alone stand beside it (`bbox_map_small`, ...; -1 where there are none). `ap_<class>` is that of a
    class; one that has no object has -1, as in COCO. Boxes are compared in the pixels of the original images. Crowds,
    and difficult objects unless the configuration counts them, are neither right nor wrong. Detections that are no
    numbers, of a model that has diverged, are none.
    """

    def __init__(self, decode: Decode, labels: Sequence[str], config: DetectionMetricConfig) -> None:
        self.labels, self.config = tuple(labels), config
        self._sizes = SIZES if config.sizes else ()
        self.primary = self.name()[0]
        self._read = _Reader(decode, config.difficult)
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self.results: list[Result] = []

    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        """Take in a batch: the outputs as `decode` reads them, the targets as the dataset collates them."""
        self.results.extend(self._read(outputs, targets))

    def accumulate(self) -> list[float]:
        """The values over all images since `reset`; 0 where no class has an object."""
        if self.config.kind == "voc":
            of_classes = voc_precision(self.results, len(self.labels), self.config.overlap, self.config.integral)
            means = [_mean(of_classes)]
        else:
            precision, *by_size = coco_precision(self.results, len(self.labels), self._sizes)
            of_classes = precision.mean(0)
            means = [_mean(of_classes), _mean(precision[0]), *(_mean(part, -1.0) for part in by_size)]
        return [*means, *np.nan_to_num(of_classes, nan=-1.0).tolist()]

    def state(self) -> dict[str, Array]:
        """The results of all images, field by field, and how many rows each has."""
        columns = dict(zip(Result._fields, zip(*self.results, strict=True), strict=True)) if self.results else {}
        sizes = {f"{name} sizes": np.array([len(part) for part in parts]) for name, parts in columns.items()}
        return {**sizes, **{name: np.concatenate(parts) for name, parts in columns.items()}}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Put back what `state` gave."""
        names = [name for name in Result._fields if name in state]
        ends = {name: np.cumsum(state[f"{name} sizes"])[:-1] for name in names}
        columns = [np.split(state[name], ends[name]) for name in names]
        self.results = [Result(*row) for row in zip(*columns, strict=True)]

    def name(self) -> list[str]:
        """The mean or means, and `ap_<class>`."""
        means = ["bbox_map", "bbox_map_50", *(f"bbox_map_{size}" for size in self._sizes)]
        if self.config.kind == "voc":
            points, overlap = "" if self.config.integral else "_11", self.config.overlap
            means = [f"voc_map{points}" + (f"_at_{100 * overlap:g}" if overlap != VOC_OVERLAP else "")]
        return [*means, *(f"ap_{label}" for label in self.labels)]


class _Reader:
    """From a batch to the results of its images.

    It remembers the last batch, and copies of a metric share it: a sweep gives each batch to a metric of all batches
    and to a copy that sees this one alone.
    """

    def __init__(self, decode: Decode, difficult: bool) -> None:
        self._decode, self._difficult = decode, difficult
        self._last: tuple[tuple[Array, ...], Any, list[Result]] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> _Reader:
        return self

    def __call__(self, outputs: tuple[Array, ...], targets: Any) -> list[Result]:
        last = self._last
        if last is None or last[0] is not outputs or last[1] is not targets:
            rows = enumerate(self._decode(outputs))
            results = [self._result(found, {name: part[row] for name, part in targets.items()}) for row, found in rows]
            last = self._last = outputs, targets, results
        return last[2]

    def _result(self, found: Any, target: dict[str, Array]) -> Result:
        frame = target["scale"], target["offset"], target["size"]
        finite = np.isfinite(found.scores) & np.isfinite(found.boxes).all(1)
        there = target["classes"] >= 0
        ignored = target["crowd"] | (target["difficult"] & (not self._difficult))
        return Result(
            restored(found.boxes[finite], *frame),
            found.scores[finite].astype(np.float64),
            found.classes[finite].astype(np.int64),
            restored(target["boxes"][there], *frame),
            target["classes"][there],
            ignored[there],
        )


def _mean(values: Array, none: float = 0.0) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else none
