"""A whole layer, compiled by Paddle Inference, where that is faster than running it eagerly."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.errors import PaddlePruneError
from paddleprune.exports.inference_files import export_model
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import Forward, eager_forward
from paddleprune.runtimes.inference import create_predictor

_CLOSE = 1e-4
"""Largest difference to the eager outputs that passes, as a share of the largest output."""


def compiled_forward(layer: nn.Layer, inputs: tuple[Any, ...]) -> Forward:
    """The layer as it is now, in evaluation mode, with oneDNN; later changes of the layer don't count.

    Args:
        layer: the layer.
        inputs: a batch, for the shapes.

    Raises:
        GraphError: the layer can't be exported.
    """
    with tempfile.TemporaryDirectory(prefix="paddleprune-") as folder:
        path = Path(folder) / "layer"
        export_model(layer, [array.shape[1:] for array in inputs], path)
        predictor = create_predictor(path)
    given = {name: predictor.get_input_handle(name) for name in predictor.get_input_names()}
    results = [predictor.get_output_handle(name) for name in predictor.get_output_names()]

    def forward(batch: tuple[Array, ...]) -> tuple[Array, ...]:
        for number, array in enumerate(batch):
            if f"input_{number}" in given:  # what doesn't matter isn't read
                given[f"input_{number}"].copy_from_cpu(np.ascontiguousarray(array))
        predictor.run()
        return tuple(handle.copy_to_cpu() for handle in results)

    return forward


def compiling_pays(layer: nn.Layer, inputs: tuple[Any, ...], batches: int) -> bool:
    """Whether a compiled layer gives the same outputs, and sooner, for so many batches like this one.

    Args:
        layer: the layer.
        inputs: one of the batches.
        batches: how many there are.
    """
    plain = all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in inputs)
    if batches < 2 or not plain or not paddle.get_device().startswith("cpu"):
        return False
    eager = eager_forward(layer)
    eager(inputs)
    wanted, slow = _timed(eager, inputs)
    start = time.perf_counter()
    try:
        compiled = compiled_forward(layer, inputs)
        building = time.perf_counter() - start
        compiled(inputs)
        found, fast = _timed(compiled, inputs)
    except (PaddlePruneError, RuntimeError, ValueError):  # what can't be exported, or isn't known to Paddle Inference
        return False
    return building + batches * fast < batches * slow and _same(wanted, found)


def _timed(forward: Forward, inputs: tuple[Any, ...]) -> tuple[tuple[Array, ...], float]:
    start = time.perf_counter()
    outputs = forward(inputs)
    return outputs, time.perf_counter() - start


def _same(wanted: tuple[Array, ...], found: tuple[Array, ...]) -> bool:
    return len(wanted) == len(found) and all(
        a.shape == b.shape
        and a.dtype == b.dtype
        and np.allclose(a, b, rtol=0, atol=_CLOSE * float(np.abs(a).max(initial=0)))
        for a, b in zip(wanted, found, strict=True)
    )
