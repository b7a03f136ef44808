"""Step 2: how much does the metric drop, for every group and every ratio?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paddleprune.api.data import Data
from paddleprune.api.loading import evaluation_of, graph_of_loaded, open_model
from paddleprune.measure.evaluation import Batches
from paddleprune.registry import Registry
from paddleprune.sensitivity import SensitivityTable, sweep
from paddleprune.settings import RATIOS, Criterion
from paddleprune.training import select_device


def analyze(
    checkpoint: str | Path,
    *,
    eval_dataset: Data,
    save_file: str | Path,
    criterion: Criterion = "l1",
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
        ratios: shares of a group's units to remove, each between 0 and 1.
        batch_size: images a forward pass; changes the speed, not the result.
        device: "auto", "cpu", "gpu" or "gpu:N".

    Raises:
        CheckpointError, DataError, ConfigError: what was given can't be used.
        TableError: the file holds a table of something else, or the baseline metric is 0.
    """
    select_device(device)
    registry = Registry.discover()
    loaded = open_model(registry, checkpoint)
    evaluation = evaluation_of(registry, loaded, eval_dataset)
    return sweep(
        loaded.layer,
        graph_of_loaded(registry, loaded),
        evaluation.metric,
        Batches(evaluation.dataset, batch_size),
        criterion=criterion,
        ratios=ratios,
        save_file=Path(save_file),
    )
