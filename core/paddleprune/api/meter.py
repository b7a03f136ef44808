"""How much worse than the dense network a network is, on some samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from paddle import nn

from paddleprune.console import progress, say
from paddleprune.errors import DataError, PaddlePruneError, TableError
from paddleprune.interfaces import Array, Dataset, Metric
from paddleprune.measure.compiled import compiled_forward, compiling_pays
from paddleprune.measure.drawn import Part
from paddleprune.measure.evaluation import Batches, Forward, eager_forward
from paddleprune.sensitivity.measuring.scores import Baseline, Score, Tally

_BATCHES = 10
"""At least, where there are so many samples: a metric that scores no single sample has its error from batches."""


class Against:
    """Measures what forwards lose of a metric against one of them, on the same samples.

    Args:
        forward: the one.
        metric: its primary value counts.
        batches: the samples.
        what: the work's name on the progress bar.

    Attributes:
        last: the primary metric that was measured last.

    Raises:
        TableError: the metric is 0 or not finite, so that no share of it can be lost.
    """

    def __init__(self, forward: Forward, metric: Metric, batches: Batches, what: str) -> None:
        self._metric, self._batches, self._what = metric, batches, what
        tally, count = self._tally(forward, None), len(batches.dataset)
        value = tally.value()
        if not np.isfinite(value) or value == 0:
            raise TableError(
                f"the model's {metric.primary} is {value:g} on {count} evaluation samples, so that no share of "
                "it can be lost; train it first, or check the labels"
            )
        self.last = value
        self._baseline = Baseline(value, tally.scores, count, metric.higher_is_better)

    def __call__(self, forward: Forward) -> Score:
        """The metric of a forward, and the loss."""
        score = self._baseline.score(self._tally(forward, self._baseline.scores))
        self.last = score.metric
        return score

    def _tally(self, forward: Forward, dense: Mapping[int, Array] | None) -> Tally:
        return tally_of(forward, self._metric, self._batches, dense, self._what)


class Meter:
    """Measures the losses of one network against what it gives now; compiled, where that pays.

    Args:
        layer: the network, dense.
        metric: its primary value counts.
        dataset: the samples.
        batch_size: samples a forward pass, at most.
        what: the work's name on the progress bar.

    Raises:
        TableError: the metric is 0 or not finite, so that no share of it can be lost.
    """

    def __init__(self, layer: nn.Layer, metric: Metric, dataset: Dataset, batch_size: int, what: str) -> None:
        self._layer, self._batches = layer, Batches(dataset, small_enough(batch_size, dataset))
        self._compiles = compiling_pays(layer, self._batches.take(0, self._batches.batch_size)[0], len(self._batches))
        self._against = Against(self._forward(), metric, self._batches, what)

    @property
    def last(self) -> float:
        """The primary metric that was measured last."""
        return self._against.last

    def __call__(self) -> Score:
        """The network's metric as it stands, and the loss."""
        return self._against(self._forward())

    def _forward(self) -> Forward:
        if self._compiles:
            try:
                return compiled_forward(self._layer, self._batches.take(0, self._batches.batch_size)[0])
            except PaddlePruneError as error:
                self._compiles = False
                say(f"evaluated layer by layer: {error}")
        return eager_forward(self._layer)


def small_enough(batch_size: int, dataset: Dataset) -> int:
    """At most so many samples a batch that there are ten batches, since some standard errors are theirs."""
    return min(batch_size, max(1, len(dataset) // _BATCHES))


def tally_of(forward: Forward, metric: Metric, batches: Batches, dense: Mapping[int, Array] | None, what: str) -> Tally:
    """Evaluate a network, and set it against another one batch by batch.

    Args:
        forward: the network.
        metric: is copied.
        batches: what to run.
        dense: the other one's scores, if there is one; of the same batches.
        what: the work's name on the progress bar.
    """
    tally, size = Tally(metric, dense), batches.batch_size
    with progress(what, len(batches)) as bar:
        for start in range(0, len(batches.dataset), size):
            inputs, targets = batches.take(start, start + size)
            tally.update(start, forward(inputs), targets)
            bar.advance()
    return tally


def halves(dataset: Dataset) -> tuple[Dataset, Dataset]:
    """A dataset's samples in two halves, drawn at random and always the same ones: to search with, and to judge with.

    Raises:
        DataError: there are fewer than two.
    """
    if len(dataset) < 2:
        raise DataError(f"a search needs two evaluation samples, one of them to judge with; got {len(dataset)}")
    order = np.random.default_rng(0).permutation(len(dataset)).tolist()
    middle = len(order) // 2
    return Part(dataset, sorted(order[:middle])), Part(dataset, sorted(order[middle:]))
