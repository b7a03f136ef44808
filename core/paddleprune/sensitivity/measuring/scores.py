"""What a metric says of one network over the samples that it was run on, and how sure that is.

An entry of the table and the baseline are measured on the same samples, so the standard error of a loss comes
from their paired differences: far smaller than that of either value.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paddleprune.interfaces import Array, Metric


@dataclass(frozen=True)
class Score:
    """What was found of an entry.

    Attributes:
        metric: the primary metric.
        loss: (baseline - metric) / |baseline|, the sign turned where lower is better; infinite if that is no number.
        error: the standard error of the loss; None where it isn't known.
        samples: how many samples it comes from; None where that isn't known.
        complete: whether these were all of them.
    """

    metric: float
    loss: float
    error: float | None = None
    samples: int | None = None
    complete: bool = True


class Tally:
    """The metric of one network over some batches, in any order.

    Args:
        metric: is copied.
        dense: what the scores are compared with, batch by batch; None for the dense network itself.

    Attributes:
        samples: how many samples it has seen.
        scores: start of a batch -> the scores of its samples [N], or its own metric [1] where samples have none.
        count: how many differences to the dense network it has seen.
        total: their sum, dense minus this one.
        squares: the sum of their squares.
    """

    def __init__(self, metric: Metric, dense: Mapping[int, Array] | None = None) -> None:
        self._metric, self._fresh, self._dense = copy.deepcopy(metric), metric, dense
        self._metric.reset()
        self._value: float | None = None
        self.samples = self.count = 0
        self.total = self.squares = 0.0
        self.scores: dict[int, Array] = {}
        self._whole = True

    def update(self, start: int, outputs: tuple[Array, ...], targets: Any) -> None:
        """Take in the batch that begins at a sample."""
        self._whole = False
        self._metric.update(outputs, targets)
        self._value = None
        scores = self._metric.sample_scores(outputs, targets)
        found = self._alone(outputs, targets) if scores is None else np.asarray(scores, np.float64)
        self.scores[start] = found
        self.samples += len(outputs[0])
        if self._dense is not None:
            drops = self._dense[start] - found
            self.count += drops.size
            self.total += float(drops.sum())
            self.squares += float(np.square(drops).sum())
        self._whole = True

    def state(self) -> dict[str, Array] | None:
        """All of it as arrays; None where the metric can't tell, or it was stopped while it took in a batch."""
        metric = self._metric.state() if self._whole else None
        if metric is None:
            return None
        sizes = [scores.size for scores in self.scores.values()]
        return {
            **{f"metric {name}": np.ascontiguousarray(array) for name, array in metric.items()},
            "starts": np.array(list(self.scores), np.int64),
            "sizes": np.array(sizes, np.int64),
            "scores": np.concatenate(list(self.scores.values())),
            "sums": np.array([self.samples, self.count, self.total, self.squares], np.float64),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Put back what `state` gave."""
        own = {name.removeprefix("metric "): array for name, array in state.items() if name.startswith("metric ")}
        self._metric.restore(own)
        self._value = None
        parts = np.split(state["scores"], np.cumsum(state["sizes"])[:-1])
        self.scores = dict(zip(state["starts"].tolist(), parts, strict=True))
        samples, count, self.total, self.squares = state["sums"].tolist()
        self.samples, self.count = int(samples), int(count)

    def _alone(self, outputs: tuple[Array, ...], targets: Any) -> Array:
        alone = copy.deepcopy(self._fresh)
        alone.reset()
        alone.update(outputs, targets)
        return np.array([_primary(alone)])

    @property
    def error(self) -> float | None:
        """The standard error of the mean difference to the dense network; None where it isn't known."""
        if self.count < 2 or not math.isfinite(self.squares):
            return None
        variance = max(0.0, self.squares - self.total * self.total / self.count) / (self.count - 1)
        return math.sqrt(variance / self.count)

    def value(self) -> float:
        """The primary metric over what was seen; computed once, as it may take a while (mAP)."""
        if self._value is None:
            self._value = _primary(self._metric)
        return self._value


@dataclass(frozen=True)
class Baseline:
    """The dense network's metric: what entries are compared with.

    Attributes:
        value: over all samples.
        scores: as a `Tally` has them.
        samples: how many there are.
        higher_is_better: the metric's direction.
    """

    value: float
    scores: Mapping[int, Array]
    samples: int
    higher_is_better: bool

    def score(self, tally: Tally) -> Score:
        """What a tally says: its own value where it has seen everything, else what its differences foretell."""
        scale = abs(self.value) if self.higher_is_better else -abs(self.value)
        mean = tally.total / tally.count
        error = None if tally.error is None else tally.error / abs(self.value)
        if tally.samples >= self.samples:
            value = tally.value()
            return Score(value, metric_loss(self.value, value, self.higher_is_better), error, tally.samples)
        return Score(self.value - mean, mean / scale, error, tally.samples, complete=False)


def metric_loss(baseline: float, value: float, higher_is_better: bool) -> float:
    """(baseline - value) / |baseline|, the sign turned where lower is better; infinite where the value is no number."""
    if not math.isfinite(value):
        return math.inf
    drop = (baseline - value) / abs(baseline)
    return drop if higher_is_better else -drop


def _primary(metric: Metric) -> float:
    values = dict(zip(metric.name(), metric.accumulate(), strict=True))
    return float(values[metric.primary])
