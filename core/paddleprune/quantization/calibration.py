"""Which values each tensor of a network takes, found on samples."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from paddleprune.dependencies import require
from paddleprune.errors import GraphError, said_by
from paddleprune.interfaces import Array
from paddleprune.quantization.network import PURPOSE, FoldedNetwork, quiet

Ranges: TypeAlias = Any
"""Tensor -> its least and its largest value, as ONNX Runtime keeps them."""
METHOD = "minmax"
_BATCH = 16


class _Reader:
    """Samples as ONNX Runtime's calibration reads them."""

    def __init__(self, samples: Sequence[Array], names: Sequence[str]) -> None:
        self._batches = self._in_batches(samples, names)

    def get_next(self) -> Mapping[str, Array] | None:
        """The next batch, by the inputs' names; None after the last one."""
        return next(self._batches, None)

    @staticmethod
    def _in_batches(samples: Sequence[Array], names: Sequence[str]) -> Iterator[Mapping[str, Array]]:
        for start in range(0, len(samples[0]), _BATCH):
            arrays = {f"input_{i}": array[start : start + _BATCH] for i, array in enumerate(samples)}
            yield {name: arrays[name] for name in names}


def find_ranges(network: FoldedNetwork, samples: Sequence[Array]) -> Ranges:
    """The least and the largest value of each tensor on some samples: once for all ways to quantise the network.

    Args:
        network: in float.
        samples: for each input, [N, ...].

    Raises:
        GraphError: the network doesn't run on them.
    """
    onnx, tools = require("onnx", PURPOSE), require("onnxruntime.quantization", PURPOSE)
    names = [given.name for given in onnx.load(str(network.file)).graph.input]
    with tempfile.TemporaryDirectory(prefix="paddleprune-") as folder, quiet():
        try:
            calibrator = tools.create_calibrator(network.file, augmented_model_path=str(Path(folder) / "watched.onnx"))
            calibrator.collect_data(_Reader(samples, names))
            return calibrator.compute_data()
        except Exception as error:  # ONNX Runtime has its own
            raise GraphError(f"cannot calibrate the network for INT8: {said_by(error)}") from error
