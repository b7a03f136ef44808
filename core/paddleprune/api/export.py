"""A checkpoint for deployment: an inference program that needs neither this package nor the model's code."""

from __future__ import annotations

from pathlib import Path

from paddleprune.api.loading import open_model
from paddleprune.files import user_path
from paddleprune.measure.export import export_model
from paddleprune.measure.onnx import export_onnx
from paddleprune.registry import Registry


def export(checkpoint: str | Path, *, save_dir: str | Path, onnx: bool = False) -> list[Path]:
    """Export a checkpoint, pruned or not, for Paddle Inference and Paddle Lite (`paddle.jit.save`), or as ONNX.

    Args:
        checkpoint: a checkpoint folder.
        save_dir: gets `model.json` and `model.pdiparams`, or `model.onnx`.
        onnx: write ONNX instead; needs the extra `onnx`.

    Returns:
        The files.
    """
    registry, folder = Registry.discover(), user_path(save_dir)
    loaded = open_model(registry, checkpoint)
    if onnx:
        return export_onnx(loaded.layer, loaded.options.input_shapes(), folder / "model")
    return export_model(loaded.layer, loaded.options.input_shapes(), folder / "model")
