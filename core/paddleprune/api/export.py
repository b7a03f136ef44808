"""A checkpoint for deployment: an inference program that needs neither this package nor the model's code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from paddle import nn

from paddleprune.api.data import Data
from paddleprune.api.export_around import put_around
from paddleprune.api.export_formats import WRITERS, Export, Job
from paddleprune.api.loading import Network, evaluation_of, open_network
from paddleprune.console import say
from paddleprune.errors import ConfigError, GraphError
from paddleprune.exports.onnx import OPSETS
from paddleprune.files import making, user_path, write_json
from paddleprune.graph.modes import in_mode
from paddleprune.interfaces import Array, read_sample
from paddleprune.registry import Registry
from paddleprune.settings import EXPORT_FORMATS, ExportFormat
from paddleprune.training import select_device
from paddleprune.validation import choose_from

RECORD = "export.json"
_SAMPLES = 10


def export(
    checkpoint: str | Path | nn.Layer,
    *,
    save_dir: str | Path,
    shapes: Sequence[Sequence[int]] = (),
    format: str = "paddle",
    model_name: str | None = None,
    eval_dataset: Data | None = None,
    batch: int | None = None,
    opset: int | None = None,
    with_preprocessing: bool = False,
    with_nms: bool = False,
    dynamic: bool = False,
) -> list[Path]:
    """Export a checkpoint, pruned or not, or any layer: for Paddle Inference, ONNX, PaddleX 3 or Paddle Lite.

    The file is loaded in Paddle Inference, or ONNX Runtime (OpenVINO where that alone is installed), and compared with
    the model, on random samples and on ten of the data if there is any.

    Args:
        checkpoint: a checkpoint folder; or any layer, which is exported as in evaluation mode, and left as it was.
        save_dir: gets the files, and `export.json`, which says what they take and give, how they were made, and how far
            they are from the model.
        shapes: of the inputs of a layer, without the batch axis, such as [(3, 224, 224)].
        format: "paddle" (`paddle.jit.save`): `model.json` and `model.pdiparams`. "onnx": `model.onnx`; needs the extra
            `onnx`. "paddlex": `inference.json`, `inference.pdiparams` and `inference.yml`, a folder that
            `paddlex.create_model` loads. "lite": `model.pdmodel` and `model.pdiparams`, which Paddle Lite's converter
            reads.
        model_name: for PaddleX, the name of the one of its models that this is to pass for; that of the family if
            PaddleX has it.
        eval_dataset: data whose samples the file is compared on, too.
        batch: samples a run; by default any number.
        opset: of ONNX's operators, at least; 13 by default.
        with_preprocessing: the file takes pixels as a camera gives them, [N, H, W, 3] uint8, red, green and blue, of
            the model's size: layout and normalization are in it. Resizing stays outside.
        with_nms: a detector's file gives objects: class, score and box in pixels of the input, [M, 6], of all images,
            and how many each image has, [N]. Decoding and the suppression of boxes that overlap a better one are in it.
        dynamic: height and width of the inputs may be any; the file is proved at two sizes.

    Returns:
        The files.

    Raises:
        ConfigError: an argument can't be used, or not for a layer; or PaddleX can't do the model's preprocessing.
        GraphError: the model can't be exported; or what was written computes something else. Nothing is left then, and
            what was there before is untouched.
    """
    known = _checked(format, model_name, batch, opset)
    wanted = {"with_preprocessing": with_preprocessing, "with_nms": with_nms, "dynamic": dynamic}
    odd = next((name for name, asked in wanted.items() if asked and known not in ("paddle", "onnx")), None)
    if odd is not None:
        raise ConfigError(f"{odd} goes with format=paddle or onnx, not with {known}")
    select_device("cpu")  # where the file is proved, and in whole float32
    registry, folder = Registry.discover(), user_path(save_dir)
    network = open_network(registry, checkpoint, shapes)
    samples = () if eval_dataset is None else _first_samples(registry, network, eval_dataset)
    with in_mode(network.layer, train=False), making(folder) as place:
        around = put_around(registry, network, preprocessing=with_preprocessing, nms=with_nms, dynamic=dynamic)
        record = _written(known, Job(registry, network, around, place, samples, batch, opset, model_name), dynamic)
        write_json(place / RECORD, record)
        for name in (*record.files[::-1], RECORD):  # the weights before the program that needs them
            (place / name).replace(folder / name)
    for proof in (record.proof, record.choice):
        if proof is not None:
            say(proof.describe())
    return [folder / name for name in (*record.files, RECORD)]


def _written(format: ExportFormat, job: Job, dynamic: bool) -> Export:
    """The files, and what is said of them."""
    try:
        return WRITERS[format](job)
    except GraphError as error:
        if not dynamic:
            raise
        raise GraphError(f"{error}; a network whose code asks for sizes is exported without dynamic") from error


def _checked(format: str, model_name: str | None, batch: int | None, opset: int | None) -> ExportFormat:
    known = next((one for one in EXPORT_FORMATS if one == format), None)
    if known is None:
        raise ConfigError(f"unknown `format` {format!r}{choose_from(format, EXPORT_FORMATS)}")
    if model_name is not None and known != "paddlex":
        raise ConfigError(f"model_name is {model_name!r}; it goes with format=paddlex alone")
    if opset is not None and (known != "onnx" or opset not in OPSETS):
        raise ConfigError(f"`opset` is {opset}; it goes with format=onnx, and is {OPSETS.start} to {OPSETS.stop - 1}")
    if batch is not None and batch < 1:
        raise ConfigError(f"`batch` is {batch}; give the samples of a run, or leave it out for any number")
    return known


def _first_samples(registry: Registry, network: Network, data: Data) -> tuple[Array, ...]:
    """The inputs of the first samples of evaluation data, [N, ...] each."""
    if network.loaded is None:
        raise ConfigError("data is read for a checkpoint's task; for a layer leave eval_dataset out")
    dataset = evaluation_of(registry, network.loaded, data).dataset
    samples = [read_sample(dataset, i) for i in range(min(_SAMPLES, len(dataset)))]
    inputs, _ = dataset.collate(samples)
    return tuple(np.asarray(array) for array in inputs)
