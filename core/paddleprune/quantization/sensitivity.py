"""Which steps suffer most from INT8: each alone is quantised, and the outputs compared."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paddleprune.console import progress
from paddleprune.interfaces import Array
from paddleprune.machine.cpu import cpu_threads
from paddleprune.quantization.calibration import Ranges
from paddleprune.quantization.network import FoldedNetwork, Step
from paddleprune.quantization.writing import write_int8
from paddleprune.runtimes.modes import MODES


def rank_steps(network: FoldedNetwork, ranges: Ranges, samples: Sequence[Array]) -> list[tuple[Step, float]]:
    """The steps of a network, the most sensitive first, each with its error; one run over the samples for each.

    The error is the root mean square of what changes in the outputs where this step alone is in INT8, as a share of
    theirs; the mean over the outputs.

    Args:
        network: in float.
        ranges: of its tensors.
        samples: for each input, [N, ...]; a few suffice.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="paddleprune-") as folder, progress("steps", len(network.steps)) as bar:
        wanted = _outputs(network.file, samples)
        for step in network.steps:
            file = Path(folder) / "alone.onnx"
            write_int8(network, ranges, file, nodes=(step.node, *network.carriers))
            found.append((step, _error(wanted, _outputs(file, samples))))
            bar.advance(note=step.title)
    return sorted(found, key=lambda pair: -pair[1])


def _outputs(file: Path, samples: Sequence[Array]) -> list[Array]:
    session = MODES["onnxruntime"].load(file.with_suffix(""), cpu_threads())
    session.feed({f"input_{i}": array for i, array in enumerate(samples)})
    session.run()
    return session.outputs()


def _error(wanted: Sequence[Array], found: Sequence[Array]) -> float:
    return float(np.mean([_share(a, b) for a, b in zip(wanted, found, strict=True)]))


def _share(wanted: Array, found: Array) -> float:
    """What changed of one output; infinite where it has another shape, as that of a detector that found other boxes."""
    if wanted.shape != found.shape:
        return float("inf")
    size = float(np.sqrt(np.mean(np.square(wanted, dtype=np.float64))))
    change = float(np.sqrt(np.mean(np.square(found.astype(np.float64) - wanted))))
    return change / size if size else change
