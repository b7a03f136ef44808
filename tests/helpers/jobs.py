"""The main job in Python: train, analyze, prune and retrain."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import paddleprune
from paddleprune.runtimes.inference import create_predictor


class Retrained(NamedTuple):
    """What training gave, dense and pruned."""

    dense: Any
    pruned: Any


def prune_and_retrain(
    task: str, family: str, options: dict[str, Any], data: Any, metric: str, folder: Path, **said: Any
) -> Retrained:
    """A network that lost a fifth of its parameters, and evaluates to what its training measured."""
    said = {"train_dataset": data, "eval_dataset": data, **said}
    dense = paddleprune.train(task, model=family, options=options, save_dir=folder / "dense", **said)
    table = folder / "table.json"
    paddleprune.analyze(dense.best_model, eval_dataset=data, save_file=table, ratios=(0.5,), batch_size=4)
    how = {"pretrain_weights": dense.best_model, "sensitivities_file": table, "eval_metric_loss": 0.9}
    pruned = paddleprune.train(task, save_dir=folder / "pruned", **how, **said)
    before, after = (paddleprune.explain(result.best_model).total_parameters for result in (dense, pruned))
    assert after < 0.8 * before
    again = paddleprune.evaluate(pruned.best_model, eval_dataset=data, batch_size=3)
    assert again[metric] == pytest.approx(pruned.metrics[metric], abs=1e-6)
    return Retrained(dense, pruned)


def run_exported(model: Path, image: np.ndarray) -> tuple[np.ndarray, ...]:
    """What an exported model gives, in Paddle Inference."""
    predictor = create_predictor(model)
    predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(image)
    predictor.run()
    return tuple(predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names())
