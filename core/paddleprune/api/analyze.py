"""Step 2: how much does the metric drop, for every group and every ratio?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from paddleprune.api.data import Data
from paddleprune.api.loading import evaluation_of, graph_of_loaded, open_model
from paddleprune.console import progress
from paddleprune.engines import Engine, open_engine
from paddleprune.interfaces import Metric
from paddleprune.measure.evaluation import Batches, evaluate
from paddleprune.registry import Registry
from paddleprune.sensitivity import Identity, Measure, SensitivityTable, model_digest, sweep
from paddleprune.settings import RATIOS, Criterion, EngineName
from paddleprune.training import select_device


def analyze(
    checkpoint: str | Path,
    *,
    eval_dataset: Data,
    save_file: str | Path,
    criterion: Criterion = "l1",
    engine: EngineName = "native",
    ratios: Sequence[float] = RATIOS,
    batch_size: int = 64,
    device: str = "auto",
) -> SensitivityTable:
    """Measure the sensitivity table of a trained model.

    The file is replaced whole after every measurement: killed at any moment, the same call continues it.

    Args:
        checkpoint: a checkpoint folder, as training leaves it (`output/mobilenetv2/best_model`).
        eval_dataset: the data to measure on: a folder in the task's layout, the fields of its dataset
            config, or a Dataset.
        save_file: where the table goes, or is.
        criterion: which units of a group go first: "l1", "l2" or "fpgm".
        engine: what finds the groups and removes their units: "native", or "paddleslim", which must be
            installed, finds fewer groups, and measures them without compiling the network.
        ratios: shares of a group's units to remove, each between 0 and 1.
        batch_size: images a forward pass; changes the speed, not the result.
        device: "auto", "cpu", "gpu" or "gpu:N".

    Raises:
        CheckpointError, DataError, ConfigError: what was given can't be used.
        TableError: the file holds a table of something else, or the baseline metric is 0.
        DependencyError: PaddleSlim isn't installed.
        GraphError: PaddleSlim can't prune this network.
    """
    select_device(device)
    registry = Registry.discover()
    loaded = open_model(registry, checkpoint)
    evaluation = evaluation_of(registry, loaded, eval_dataset)
    batches = Batches(evaluation.dataset, batch_size)
    opened = open_engine(engine, loaded.layer, graph_of_loaded(registry, loaded), criterion, batches)
    identity = Identity(
        model=model_digest(loaded.layer),
        data=batches.digest(),
        samples=len(batches.dataset),
        metric=evaluation.metric.primary,
        higher_is_better=evaluation.metric.higher_is_better,
        criterion=criterion,
        engine=engine,
    )
    measure = measure_with(opened, evaluation.metric, batches)
    return sweep(opened.groups, measure, identity, ratios=ratios, save_file=Path(save_file))


def measure_with(engine: Engine, metric: Metric, batches: Batches) -> Measure:
    """What a sweep asks: the primary metric of the engine's network, whole or without some units.

    Args:
        engine: runs the network.
        metric: its primary value counts.
        batches: the evaluation data.
    """

    def measure(ratios: Mapping[str, float]) -> float:
        with engine.removing(ratios) as forward:
            if ratios:
                return evaluate(forward, metric, batches)[metric.primary]
            with progress("baseline", len(batches)) as bar:
                return evaluate(forward, metric, batches, bar.advance)[metric.primary]

    return measure
