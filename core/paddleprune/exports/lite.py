"""A layer to the files that Paddle Lite's converter reads: a program of the old IR."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paddle import nn

from paddleprune.exports.inference_files import export_model
from paddleprune.paddle_private import old_ir


def export_lite(
    layer: nn.Layer, shapes: Sequence[tuple[int, ...]], path: Path, *, batch: int | None = None
) -> list[Path]:
    """Write a layer as `PATH.pdmodel` and `PATH.pdiparams`; arguments and errors are those of `export_model`."""
    with old_ir.tracing():
        return export_model(layer, shapes, path, batch=batch)
