"""A checkpoint for deployment: an inference program that needs neither this package nor the model's code."""

from __future__ import annotations

from pathlib import Path

from paddleprune.api.loading import open_model
from paddleprune.measure.export import export_model
from paddleprune.registry import Registry


def export(checkpoint: str | Path, *, save_dir: str | Path) -> list[Path]:
    """Export a checkpoint, pruned or not, for Paddle Inference and Paddle Lite (`paddle.jit.save`).

    Args:
        checkpoint: a checkpoint folder.
        save_dir: gets `model.json` and `model.pdiparams`.

    Returns:
        The files.
    """
    registry = Registry.discover()
    loaded = open_model(registry, checkpoint)
    return export_model(loaded.layer, loaded.options.input_shapes(), Path(save_dir) / "model")
