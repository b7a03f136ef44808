"""What an exported checkpoint is written as, one function for each format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from paddle import nn

from paddleprune import __version__
from paddleprune.api.export_around import Around
from paddleprune.api.loading import Network
from paddleprune.console import say
from paddleprune.errors import ConfigError, GraphError
from paddleprune.exports.inference_files import input_names
from paddleprune.exports.lite import export_lite
from paddleprune.exports.onnx import OPSET, export_onnx, opset_of
from paddleprune.exports.onnx_suppression import OPSET as SUPPRESSION_OPSET
from paddleprune.exports.onnx_suppression import append_suppression, best_first
from paddleprune.interfaces import Array
from paddleprune.proofs.choosing import Chained, prove_choice
from paddleprune.proofs.paddlex import export_paddlex, prove_paddlex
from paddleprune.proofs.proof import batches, probes
from paddleprune.proofs.proved import Port, Proof
from paddleprune.registry import Registry
from paddleprune.runtimes.inference import passes_to_leave_out
from paddleprune.runtimes.modes import MODES, Mode, Runtime
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
        choice: the proof of a last step that chooses: for PaddleX the best class of a pixel; the best of boxes.
        labels: the checkpoint's classes; none of a layer.
        transforms: its preprocessing, whatever of that is in the file; none of a layer.
        delete_passes: where oneDNN is on, what to tell Paddle Inference to leave out: its oneDNN fails there.
    """

    schema_version: int = 1
    files: tuple[str, ...]
    versions: dict[str, str]
    opset: int | None = None
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...] = ()
    proof: Proof | None = None
    choice: Proof | None = None
    labels: tuple[str, ...] = ()
    transforms: tuple[dict[str, Any], ...] = ()
    delete_passes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """What is asked for.

    Attributes:
        registry: of the plugins.
        network: the layer, and the checkpoint if it is one's.
        around: it, with what stands around it in the file.
        place: a folder for the files.
        samples: of data, for each of the network's inputs [N, ...]; none if there is no data.
        batch: samples a run; None for any number.
        opset: of ONNX's operators, at least.
        model_name: PaddleX's.
    """

    registry: Registry
    network: Network
    around: Around
    place: Path
    samples: Sequence[Array] = ()
    batch: int | None = None
    opset: int | None = None
    model_name: str | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What the checkpoint says of classes and preprocessing."""
        loaded = self.network.loaded
        return {} if loaded is None else {"labels": loaded.info.labels, "transforms": loaded.info.transforms}


def _for_paddle(job: Job) -> Export:
    return _in_paddle(job, MODES[_PADDLE])


def _for_lite(job: Job) -> Export:
    return _in_paddle(job, replace(MODES[_PADDLE], write=export_lite))


def _in_paddle(job: Job, runtime: Runtime) -> Export:
    around, path = job.around, job.place / "model"
    write = _writer(job, runtime.write)
    last = around.suppression
    files = write(around.layer if last is None else Chained(around.layer, last), path)
    fed = around.fed(job.samples, job.batch)
    with _or("as ONNX"):
        found = prove_choice(around.layer, last, path, runtime, write, fed)
    passes = passes_to_leave_out(next(file for file in files if file.suffix != ".pdiparams"))
    if passes:
        calls = ", ".join(f"config.delete_pass({name!r})" for name in passes)
        say(f"Paddle Inference fails at this file with oneDNN on; where you load it turn oneDNN off, or call {calls}")
    return _said(job, files, found, delete_passes=passes)


def _as_onnx(job: Job) -> Export:
    around, path = job.around, job.place / "model"
    last, opset = around.suppression, job.opset or OPSET
    write = _writer(job, partial(export_onnx, opset=opset if last is None else max(opset, SUPPRESSION_OPSET)))
    files = write(around.layer if last is None else Chained(around.layer, last.candidates), path)
    if last is not None:
        append_suppression(files[0], last)
    runtime = next((mode for mode in _ONNX if MODES[mode].installed), None)
    found: tuple[tuple[Port, ...], Proof | None, Proof | None] = (), None, None
    if runtime is None:
        say("the file isn't proved, since nothing is installed that runs it: pip install 'paddleprune[onnx]'")
    else:
        choose = None if last is None else best_first(last)
        fed = around.fed(job.samples, job.batch)
        with _or("for Paddle Inference"):
            found = prove_choice(around.layer, choose, path, MODES[runtime], write, fed)
    return _said(job, files, found, "paddle2onnx", opset=opset_of(files[0]))


def _writer(job: Job, write: Callable[..., list[Path]]) -> Callable[[nn.Layer, Path], list[Path]]:
    """What writes a layer with the job's inputs."""
    around = job.around
    dtypes = {} if set(around.dtypes) == {"float32"} else {"dtypes": around.dtypes}
    return lambda layer, path: write(layer, around.shapes, path, batch=job.batch, **dtypes)


def _said(
    job: Job,
    files: Sequence[Path],
    found: tuple[tuple[Port, ...], Proof | None, Proof | None],
    *packages: str,
    opset: int | None = None,
    delete_passes: tuple[str, ...] = (),
) -> Export:
    around, (outputs, proof, choice) = job.around, found
    named = zip(input_names(len(around.shapes)), around.shapes, around.dtypes, strict=True)
    inputs = tuple(Port(name=name, shape=(job.batch, *shape), dtype=dtype) for name, shape, dtype in named)
    about = {"inputs": inputs, "outputs": outputs, "proof": proof, "choice": choice, "opset": opset}
    written = {"files": _names(files), "versions": _versions(*packages), "delete_passes": delete_passes}
    return Export(**written, **about, **job.about)


def _for_paddlex(job: Job) -> Export:
    loaded, shapes = job.network.loaded, job.network.shapes
    if loaded is None:
        raise ConfigError("PaddleX wants to know the task, classes and preprocessing: give a checkpoint, not a layer")
    info = loaded.info
    about = loaded.options, info.labels, info.transforms, job.network.layer
    made = job.registry.paddlex(info.task, info.family, *about, job.model_name)
    files = export_paddlex(made, job.place, batch=job.batch)
    fed = probes(shapes, job.batch), batches(job.samples, job.batch)
    count = len(job.samples[0]) if job.samples else 0
    with _or("for Paddle Inference"):
        outputs, proof, choice = prove_paddlex(made, job.place, *fed, samples=count, batch=job.batch)
    said = {"files": _names(files), "versions": _versions(), "outputs": outputs}
    inputs = tuple(Port(name=n, shape=(job.batch, *shape), dtype="float32") for n, shape in made.inputs.items())
    return Export(**said, inputs=inputs, proof=proof, choice=choice, **job.about)


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
