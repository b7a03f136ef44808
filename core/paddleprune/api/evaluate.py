"""The metric of a checkpoint, pruned or not."""

from __future__ import annotations

from pathlib import Path

from paddle import nn

from paddleprune.api.data import Data
from paddleprune.api.loading import Evaluation, evaluation_of, open_model
from paddleprune.console import progress
from paddleprune.measure.evaluation import Batches, eager_forward
from paddleprune.measure.evaluation import evaluate as measure
from paddleprune.registry import Registry
from paddleprune.training import select_device


def evaluate(
    checkpoint: str | Path, *, eval_dataset: Data, batch_size: int = 64, device: str = "auto"
) -> dict[str, float]:
    """Evaluate a checkpoint.

    Args:
        checkpoint: a checkpoint folder.
        eval_dataset: a folder in the task's layout, the fields of its dataset config, or a Dataset.
        batch_size: samples a forward pass.
        device: "auto", "cpu", "gpu" or "gpu:N".

    Returns:
        Every value of the task's metric by its name.
    """
    select_device(device)
    registry = Registry.discover()
    loaded = open_model(registry, checkpoint)
    return evaluated(loaded.layer, evaluation_of(registry, loaded, eval_dataset), batch_size)


def evaluated(layer: nn.Layer, evaluation: Evaluation, batch_size: int) -> dict[str, float]:
    """Every value of a metric, by its name; the layer is left in evaluation mode."""
    batches = Batches(evaluation.dataset, batch_size, memory=0)
    with progress("evaluate", len(batches)) as bar:
        return measure(eager_forward(layer), evaluation.metric, batches, bar.advance)
