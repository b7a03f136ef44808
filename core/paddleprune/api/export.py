"""A checkpoint for deployment: an inference program that needs neither this package nor the model's code."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

import numpy as np
from paddle import nn

from paddleprune import __version__
from paddleprune.api.data import Data
from paddleprune.api.loading import evaluation_of, open_model
from paddleprune.console import say
from paddleprune.errors import ConfigError, GraphError
from paddleprune.files import saving, user_path, write_json
from paddleprune.interfaces import Array, read_sample
from paddleprune.measure.export import export_model
from paddleprune.measure.onnx import OPSET, OPSETS, export_onnx, opset_of
from paddleprune.measure.proof import Port, Proof, prove
from paddleprune.measure.runtimes import MODES, Mode
from paddleprune.registry import Registry
from paddleprune.specs import Contract
from paddleprune.training import LoadedModel, select_device

RECORD = "export.json"
_SAMPLES = 10
_PROVED_IN: dict[bool, tuple[Mode, ...]] = {False: ("onednn_off",), True: ("onnxruntime", "openvino")}
"""Is it ONNX? -> what proves it: the first that is installed."""


class Export(Contract):
    """What `export.json` says of the files beside it.

    Attributes:
        files: their names.
        versions: package -> its version.
        opset: of ONNX's operators; None for Paddle Inference.
        inputs: in the order of the model's arguments.
        outputs: in order; empty where nothing is installed that runs the file.
        proof: None likewise.
    """

    schema_version: int = 1
    files: tuple[str, ...]
    versions: dict[str, str]
    opset: int | None
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...] = ()
    proof: Proof | None = None


def export(
    checkpoint: str | Path,
    *,
    save_dir: str | Path,
    onnx: bool = False,
    eval_dataset: Data | None = None,
    batch: int | None = None,
    opset: int | None = None,
) -> list[Path]:
    """Export a checkpoint, pruned or not, for Paddle Inference and Paddle Lite (`paddle.jit.save`), or as ONNX.

    The file is loaded in Paddle Inference, or ONNX Runtime (OpenVINO where that alone is installed), and compared with
    the model, on random samples and on ten of the data if there is any.

    Args:
        checkpoint: a checkpoint folder.
        save_dir: gets `model.json` and `model.pdiparams`, or `model.onnx`, and `export.json`, which says what the file
            takes and gives, how it was made, and how far it is from the model.
        onnx: write ONNX instead; needs the extra `onnx`.
        eval_dataset: data whose samples the file is compared on, too.
        batch: samples a run; by default any number.
        opset: of ONNX's operators, at least; 13 by default.

    Returns:
        The files.

    Raises:
        ConfigError: batch or opset can't be used.
        GraphError: the model can't be exported; or what was written computes something else. Nothing is left then, and
            what was there before is untouched.
    """
    if opset is not None and (not onnx or opset not in OPSETS):
        raise ConfigError(f"opset is {opset}; it goes with onnx, and is {OPSETS.start} to {OPSETS.stop - 1}")
    if batch is not None and batch < 1:
        raise ConfigError(f"batch is {batch}; give the samples of a run, or leave it out for any number")
    select_device("cpu")  # where the file is proved, and in whole float32
    registry, folder = Registry.discover(), user_path(save_dir)
    loaded = open_model(registry, checkpoint)
    samples = () if eval_dataset is None else _first_samples(registry, loaded, eval_dataset)
    shapes, layer = loaded.options.input_shapes(), loaded.layer
    with _making(folder) as place:
        if onnx:
            files = export_onnx(layer, shapes, place / "model", batch=batch, opset=opset or OPSET)
        else:
            files = export_model(layer, shapes, place / "model", batch=batch)
        outputs, proof = _proved(layer, place / "model", shapes, batch, samples, onnx)
        record = Export(
            files=tuple(file.name for file in files),
            versions=_versions(onnx),
            opset=opset_of(files[0]) if onnx else None,
            inputs=tuple(Port(name=f"input_{i}", shape=(batch, *s), dtype="float32") for i, s in enumerate(shapes)),
            outputs=outputs,
            proof=proof,
        )
        write_json(place / RECORD, record)
        for name in (*record.files[::-1], RECORD):  # the weights before the program that needs them
            (place / name).replace(folder / name)
    if proof is not None:
        say(proof.describe())
    return [folder / name for name in (*record.files, RECORD)]


@contextmanager
def _making(folder: Path) -> Iterator[Path]:
    """A place for files that belong into a folder, which isn't made if they don't get there."""
    new = not folder.exists()
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=folder, prefix=".export.") as place:
                yield Path(place)
        except BaseException:
            if new:
                with suppress(OSError):
                    folder.rmdir()
            raise


def _proved(
    layer: nn.Layer, path: Path, shapes: Sequence[tuple[int, ...]], batch: int | None, data: Sequence[Array], onnx: bool
) -> tuple[tuple[Port, ...], Proof | None]:
    """What the file gives, and how far that is from what the model does; nothing where nothing can run it."""
    runtime = next((MODES[mode] for mode in _PROVED_IN[onnx] if MODES[mode].installed), None)
    if runtime is None:
        say("the file isn't proved, since nothing is installed that runs it: pip install 'paddleprune[onnx]'")
        return (), None
    try:
        return prove(layer, path, runtime, shapes, batch=batch, data=data)
    except GraphError as error:
        instead = "for Paddle Inference" if onnx else "as ONNX"
        raise GraphError(f"{error}; nothing was written; export {instead} instead") from error


def _versions(onnx: bool) -> dict[str, str]:
    versions = {"paddleprune": __version__, "paddle": MODES["onednn_off"].version}
    return {**versions, "paddle2onnx": metadata.version("paddle2onnx")} if onnx else versions


def _first_samples(registry: Registry, loaded: LoadedModel, data: Data) -> tuple[Array, ...]:
    """The inputs of the first samples of evaluation data, [N, ...] each."""
    dataset = evaluation_of(registry, loaded, data).dataset
    samples = [read_sample(dataset, i) for i in range(min(_SAMPLES, len(dataset)))]
    inputs, _ = dataset.collate(samples)
    return tuple(np.asarray(array) for array in inputs)
