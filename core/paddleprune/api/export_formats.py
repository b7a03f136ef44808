"""What an exported checkpoint is written as, one function for each format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from paddle import nn

from paddleprune import __version__
from paddleprune.api.loading import Network
from paddleprune.console import say
from paddleprune.errors import ConfigError, GraphError
from paddleprune.interfaces import Array
from paddleprune.measure.export import Shape, input_names
from paddleprune.measure.lite import export_lite
from paddleprune.measure.onnx import OPSET, export_onnx, opset_of
from paddleprune.measure.paddlex import export_paddlex, prove_paddlex
from paddleprune.measure.proof import Port, Proof, batches, probes, prove
from paddleprune.measure.runtimes import MODES, Mode, Runtime
from paddleprune.registry import Registry
from paddleprune.settings import ExportFormat
from paddleprune.specs import Contract

_PADDLE: Mode = "onednn_off"
_ONNX: tuple[Mode, ...] = ("onnxruntime", "openvino")
"""What proves an ONNX file: the first that is installed."""


class Export(Contract):
    """What `export.json` says of the files beside it.

    Attributes:
        files: their names.
        versions: package -> its version.
        opset: of ONNX's operators; None for Paddle Inference.
        inputs: in the order of the model's arguments.
        outputs: in order; empty where nothing is installed that runs the file.
        proof: None likewise.
        choice: for PaddleX, the proof of a last step that chooses: the best class of a pixel, the best of boxes.
    """

    schema_version: int = 1
    files: tuple[str, ...]
    versions: dict[str, str]
    opset: int | None = None
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...] = ()
    proof: Proof | None = None
    choice: Proof | None = None


@dataclass(frozen=True)
class Job:
    """What is asked for.

    Attributes:
        registry: of the plugins.
        network: the layer, and the checkpoint if it is one's.
        place: a folder for the files.
        samples: of data, for each of the network's inputs [N, ...]; none if there is no data.
        batch: samples a run; None for any number.
        opset: of ONNX's operators, at least.
        model_name: PaddleX's.
    """

    registry: Registry
    network: Network
    place: Path
    samples: Sequence[Array] = ()
    batch: int | None = None
    opset: int | None = None
    model_name: str | None = None

    @property
    def layer(self) -> nn.Layer:
        """The network."""
        return self.network.layer

    @property
    def shapes(self) -> Sequence[tuple[int, ...]]:
        """Of the network's inputs, without the batch axis."""
        return self.network.shapes


def _for_paddle(job: Job) -> Export:
    return _in_paddle(job, MODES[_PADDLE])


def _for_lite(job: Job) -> Export:
    return _in_paddle(job, replace(MODES[_PADDLE], write=export_lite))


def _in_paddle(job: Job, runtime: Runtime) -> Export:
    path = job.place / "model"
    files = runtime.write(job.layer, job.shapes, path, batch=job.batch)
    with _or("as ONNX"):
        outputs, proof = prove(job.layer, path, runtime, job.shapes, batch=job.batch, data=job.samples)
    return Export(files=_names(files), versions=_versions(), inputs=_inputs(job), outputs=outputs, proof=proof)


def _as_onnx(job: Job) -> Export:
    path = job.place / "model"
    files = export_onnx(job.layer, job.shapes, path, batch=job.batch, opset=job.opset or OPSET)
    runtime = next((mode for mode in _ONNX if MODES[mode].installed), None)
    outputs, proof = tuple[Port, ...](), None
    if runtime is None:
        say("the file isn't proved, since nothing is installed that runs it: pip install 'paddleprune[onnx]'")
    else:
        with _or("for Paddle Inference"):
            outputs, proof = prove(job.layer, path, MODES[runtime], job.shapes, batch=job.batch, data=job.samples)
    versions = _versions("paddle2onnx")
    said = {"files": _names(files), "versions": versions, "opset": opset_of(files[0]), "inputs": _inputs(job)}
    return Export(**said, outputs=outputs, proof=proof)


def _for_paddlex(job: Job) -> Export:
    loaded, shapes = job.network.loaded, job.shapes
    if loaded is None:
        raise ConfigError("PaddleX wants to know the task, classes and preprocessing: give a checkpoint, not a layer")
    info = loaded.info
    about = loaded.options, info.labels, info.transforms, job.layer
    made = job.registry.paddlex(info.task, info.family, *about, job.model_name)
    files = export_paddlex(made, job.place, batch=job.batch)
    fed = probes(shapes, job.batch), batches(job.samples, job.batch)
    count = len(job.samples[0]) if job.samples else 0
    with _or("for Paddle Inference"):
        outputs, proof, choice = prove_paddlex(made, job.place, *fed, samples=count, batch=job.batch)
    said = {"files": _names(files), "versions": _versions(), "outputs": outputs}
    return Export(**said, inputs=_ports(made.inputs, job.batch), proof=proof, choice=choice)


WRITERS: Mapping[ExportFormat, Callable[[Job], Export]] = {
    "paddle": _for_paddle,
    "onnx": _as_onnx,
    "paddlex": _for_paddlex,
    "lite": _for_lite,
}
"""Format -> what writes a checkpoint so, and proves what was written.

Each raises GraphError if the model can't be exported, or what was written computes something else.
"""


@contextmanager
def _or(instead: str) -> Iterator[None]:
    """Say what to do where a proof fails."""
    try:
        yield
    except GraphError as error:
        raise GraphError(f"{error}; nothing was written; export {instead} instead") from error


def _names(files: Sequence[Path]) -> tuple[str, ...]:
    return tuple(file.name for file in files)


def _versions(*packages: str) -> dict[str, str]:
    mine = {"paddleprune": __version__, "paddle": MODES[_PADDLE].version}
    return {**mine, **{package: metadata.version(package) for package in packages}}


def _inputs(job: Job) -> tuple[Port, ...]:
    return _ports(dict(zip(input_names(len(job.shapes)), job.shapes, strict=True)), job.batch)


def _ports(shapes: Mapping[str, Shape], batch: int | None) -> tuple[Port, ...]:
    return tuple(Port(name=name, shape=(batch, *shape), dtype="float32") for name, shape in shapes.items())
