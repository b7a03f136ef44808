"""A network in float beside what it becomes in INT8: written, run and timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddle import nn

from paddleprune.exports.onnx import export_onnx
from paddleprune.interfaces import Array
from paddleprune.machine.cpu import cpu_threads
from paddleprune.measure.evaluation import Forward
from paddleprune.measure.latency import Latency, measure_latency
from paddleprune.measure.sessions import places_of, session_forward
from paddleprune.proofs.proof import Fed, prove
from paddleprune.proofs.proved import Port, Proof
from paddleprune.quantization.calibration import Ranges, find_ranges
from paddleprune.quantization.network import FoldedNetwork, Step, fix_batch, fold
from paddleprune.quantization.writing import write_int8
from paddleprune.runtimes.modes import MODES

RUNTIME = MODES["onnxruntime"]
_PROVED_ON = 8


@dataclass(frozen=True)
class Bench:
    """One network.

    Attributes:
        float32: its file in float, proved to be the layer.
        inputs: of the file.
        outputs: likewise.
        proof: what was compared.
        network: the same, folded.
        ranges: of its tensors.
        places: of the outputs, as a metric gets them.
    """

    float32: Path
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    proof: Proof
    network: FoldedNetwork
    ranges: Ranges
    places: Sequence[int]

    @classmethod
    def of(cls, layer: nn.Layer, shapes: Sequence[tuple[int, ...]], samples: Sequence[Array], folder: Path) -> Bench:
        """Export a layer, prove the file, and find what its tensors hold.

        Args:
            layer: in evaluation mode.
            shapes: of its inputs, without the batch axis.
            samples: for each input, [N, ...].
            folder: gets the files.

        Raises:
            GraphError: it can't be exported or quantised.
            DependencyError: something isn't installed.
        """
        (file,) = export_onnx(layer, shapes, folder / "float32")
        few = [array[:_PROVED_ON] for array in samples]
        outputs, proof = prove(layer, file.with_suffix(""), RUNTIME, Fed.of(shapes, None, few))
        network = fold(file, folder / "folded.onnx", _layers(layer))
        places = places_of(layer, [array[:1] for array in samples])
        inputs = tuple(Port(name=f"input_{i}", shape=(None, *s), dtype="float32") for i, s in enumerate(shapes))
        return cls(file, inputs, outputs, proof, network, find_ranges(network, samples), places)

    def write(self, target: Path, left: Sequence[Step] = ()) -> Path:
        """Write the network in INT8, with some steps in float."""
        nodes = [step.node for step in self.network.steps if step not in left]
        write_int8(self.network, self.ranges, target, nodes=[*nodes, *self.network.carriers])
        return target

    def forward(self, file: Path) -> Forward:
        """What a file of this network computes."""
        return session_forward(RUNTIME.load(file.with_suffix(""), cpu_threads()), self.places)


def time_files(files: Mapping[str, Path], folder: Path, threads: int | None) -> dict[str, Latency]:
    """How long one sample takes in each of some files, in turns.

    Args:
        files: name -> file that takes any number of samples.
        folder: gets what is timed.
        threads: of the CPU; all cores if None.
    """
    timed = {name: folder / f"timed_{number}.onnx" for number, name in enumerate(files)}
    for name, file in files.items():
        fix_batch(file, timed[name])
    paths = {name: file.with_suffix("") for name, file in timed.items()}
    found = measure_latency(paths, threads=threads, modes=("onnxruntime",))
    return {name: latency["onnxruntime"] for name, latency in found.items()}


def _layers(layer: nn.Layer) -> Mapping[str, str]:
    """A parameter's name in files -> the layer that has it."""
    return {parameter.name: name.rpartition(".")[0] for name, parameter in layer.named_parameters()}
