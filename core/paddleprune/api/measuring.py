"""What a table is measured with: a checkpoint's network and its data, opened here or by a worker."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddleprune.api.calibration import open_labelled
from paddleprune.api.data import Data
from paddleprune.api.loading import evaluation_of, graph_of_loaded, open_model
from paddleprune.api.scoring import SAMPLES, score_by
from paddleprune.engines import Engine, NativeEngine, open_engine
from paddleprune.interfaces import Metric, Scorer
from paddleprune.measure.drawn import drawn
from paddleprune.measure.evaluation import Batches, eager_forward
from paddleprune.registry import Registry
from paddleprune.sensitivity import (
    DataMeasurer,
    Importance,
    Question,
)
from paddleprune.sensitivity.criteria.gradients import BATCH
from paddleprune.sensitivity.measuring.estimate import estimate as estimate_rises
from paddleprune.sensitivity.measuring.kept import Kept
from paddleprune.sensitivity.measuring.measurer import Known, Scores
from paddleprune.sensitivity.measuring.scores import Score
from paddleprune.settings import DATA_CRITERIA, Criterion, EngineName
from paddleprune.training import LoadedModel, select_device

_LOOKS = 16
"""How often the question which entries are still wanted is asked anew, while the data is gone through once."""
_SMALLEST_LOOK = 8
"""Samples between two such questions, at least."""


@dataclass(frozen=True)
class Opened:
    """A checkpoint's network, and what measures it."""

    registry: Registry
    loaded: LoadedModel
    engine: Engine
    criterion: Criterion | Scorer | Importance
    metric: Metric
    batches: Batches

    def tried(self) -> None:
        """Evaluate a few samples, before all are decoded: are transforms and targets what network and metric want?"""
        inputs, targets = self.batches.take(0, min(_SMALLEST_LOOK, self.batches.batch_size))
        self.metric.reset()
        self.metric.update(eager_forward(self.loaded.layer)(inputs), targets)

    def measurer(self, question: Question, time_budget: float | None, kept: Kept | None = None) -> DataMeasurer:
        """What a sweep asks."""
        return measure_with(self.engine, self.metric, self.batches, question, time_budget, kept)


@dataclass(frozen=True)
class Job:
    """What is measured and how, as a process of its own can be told."""

    checkpoint: str | Path
    data: Data
    training: Data | None
    criterion: Any
    samples: int | None
    engine: EngineName
    batch_size: int
    memory: int
    device: str
    question: Question
    time_budget: float | None
    kept: Kept | None = None

    def open(self) -> Opened:
        """Load the network and find the data."""
        select_device(self.device)
        registry = Registry.discover()
        loaded = open_model(registry, self.checkpoint)
        evaluation = evaluation_of(registry, loaded, self.data)
        graph, criterion = graph_of_loaded(registry, loaded), self.criterion
        if criterion in DATA_CRITERIA and self.engine == "native":
            labelled = open_labelled(registry, loaded, criterion, self.training, self.data)
            criterion = score_by(registry, loaded, graph, criterion, labelled, SAMPLES)
        engine = open_engine(self.engine, loaded.layer, graph, criterion)
        batches = Batches(drawn(evaluation.dataset, self.samples), self.batch_size, self.memory)
        return Opened(registry, loaded, engine, criterion, evaluation.metric, batches)

    def measurer(self) -> DataMeasurer:
        """What a process of its own measures with."""
        return self.measurer_of(self.open())

    def measurer_of(self, opened: Opened) -> DataMeasurer:
        """What measures with an open network; a time budget's few samples aren't worth keeping."""
        kept = self.kept if self.time_budget is None else None
        return opened.measurer(self.question, self.time_budget, kept)


class Taylor:
    """Estimates entries, instead of measuring them."""

    def __init__(self, opened: Opened) -> None:
        assert isinstance(opened.engine, NativeEngine)
        self._opened, self._engine = opened, opened.engine

    def baseline(self) -> float:
        """The dense network's primary metric, which is measured."""
        return self._opened.measurer(Question(), None).baseline()

    def measure(self, work: Mapping[str, Known], baseline: float) -> Generator[Scores, None, None]:
        """Every entry, from one backward pass."""
        registry, loaded, batches = self._opened.registry, self._opened.loaded, self._opened.batches
        info, higher = loaded.info, self._opened.metric.higher_is_better
        config = registry.loss_config(info.task, info.loss)
        loss = registry.build_loss(info.task, config, loaded.options, batches.dataset)
        entries = [(name, ratio) for name, known in work.items() for ratio in known]
        batches.batch_size = min(batches.batch_size, BATCH)
        rises = estimate_rises(loaded.layer, self._engine.graph, loss, batches, entries, self._engine.units)
        scale = abs(baseline) if higher else -abs(baseline)
        samples = len(batches.dataset)
        yield {
            entry: Score(baseline - rise * scale, rise, samples=samples, complete=False)
            for entry, rise in rises.items()
        }


def measure_with(
    engine: Engine,
    metric: Metric,
    batches: Batches,
    question: Question,
    time_budget: float | None = None,
    kept: Kept | None = None,
) -> DataMeasurer:
    """What a sweep asks: the primary metric of the engine's network, whole or without some units.

    Args:
        engine: runs the network.
        metric: its primary value counts.
        batches: the evaluation data.
        question: which entries are wanted.
        time_budget: seconds that measuring may take.
        kept: where entries that are being measured are kept.
    """
    if time_budget is not None or not question.everything:
        batches.batch_size = min(batches.batch_size, max(_SMALLEST_LOOK, len(batches.dataset) // _LOOKS))
    evaluator = engine.evaluator(batches, metric.reduction())
    batches.batch_size = min(batches.batch_size, evaluator.most_samples or batches.batch_size)
    return DataMeasurer(evaluator, metric, batches, question, time_budget, kept)
