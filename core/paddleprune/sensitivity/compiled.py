"""The network compiled once, with the masks as inputs: exact, and far faster on a CPU than eager Paddle.

The traced program is cloned with a multiplication by a mask wherever a consumer reads channels that could
be removed, and run by Paddle Inference with oneDNN. Masking where consumers read is exact.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn
from paddle.base.libpaddle import pir

from paddleprune.graph import ChannelGraph
from paddleprune.graph.channels import Read
from paddleprune.graph.inputs import leaves
from paddleprune.graph.tensors import named_tensors
from paddleprune.graph.trace import Capture, capture
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import Forward
from paddleprune.measure.inference import create_predictor


class CompiledNetwork:
    """A network whose masks are inputs.

    Args:
        layer: the dense network that the graph was built from; it must be traceable.
        graph: its channel graph.
        batch: images a run; a smaller batch is padded.
    """

    def __init__(self, layer: nn.Layer, graph: ChannelGraph, batch: int) -> None:
        self.batch = batch
        free = [unit for group in graph.prunable if not group.inexact for unit in group.units]
        self._reads = [read for read in graph.reads if np.isin(read.units, free).any()]
        captured = capture(layer, graph.inputs, batch)
        with tempfile.TemporaryDirectory() as folder:
            _save(layer, captured, self._reads, Path(folder) / "network")
            self._predictor = create_predictor(Path(folder) / "network", onednn=not _channels_last(captured))
        self._set_masks(())

    def forward(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Outputs of a batch, under the masks that are set."""
        arrays = leaves(list(inputs))
        size = len(arrays[0])
        for i, array in enumerate(arrays):
            padded = array if size == self.batch else np.resize(array, (self.batch, *array.shape[1:]))
            self._predictor.get_input_handle(f"input_{i}").copy_from_cpu(np.ascontiguousarray(padded))
        self._predictor.run()
        names = self._predictor.get_output_names()
        return tuple(self._predictor.get_output_handle(name).copy_to_cpu()[:size] for name in names)

    @contextmanager
    def removing(self, removed: Iterable[int]) -> Iterator[Forward]:
        """While open, a forward that computes what the network would without these units."""
        self._set_masks(removed)
        try:
            yield self.forward
        finally:
            self._set_masks(())

    def _set_masks(self, removed: Iterable[int]) -> None:
        gone = np.fromiter(removed, np.int64)
        for i, read in enumerate(self._reads):
            mask = (~np.isin(read.units, gone)).astype(np.float32)
            self._predictor.get_input_handle(f"mask_{i}").copy_from_cpu(mask)


def _channels_last(captured: Capture) -> bool:
    """Whether an operation reads its channels on the last axis: there oneDNN multiplies by a mask wrongly."""
    return any(op.attrs().get("data_format") in ("NHWC", "NDHWC", "NLC") for op in captured.ops)


def _save(layer: nn.Layer, captured: Capture, reads: Sequence[Read], path: Path) -> None:
    """Write the masked program and the layer's weights for Paddle Inference."""
    weights = {name: tensor.numpy() for name, tensor in _by_paddle_name(layer, captured).items()}
    paddle.enable_static()
    try:
        program, feeds, outputs = _masked_program(captured, reads)
        scope = paddle.static.Scope()
        with paddle.static.scope_guard(scope):
            for name, array in weights.items():
                scope.var(name).get_tensor().set(array, paddle.CPUPlace())
            executor = paddle.static.Executor(paddle.CPUPlace())
            paddle.static.save_inference_model(str(path), feeds, outputs, executor, program=program)
    finally:
        paddle.disable_static()


def _by_paddle_name(layer: nn.Layer, captured: Capture) -> dict[str, Any]:
    tensors = named_tensors(layer)
    return {name: tensors[structured] for name, structured in captured.names.items()}


def _masked_program(captured: Capture, reads: Sequence[Read]) -> tuple[Any, list[Any], list[Any]]:
    """The captured program with masks: the program, its inputs and its outputs."""
    wanted: dict[int, list[int]] = {}
    for i, read in enumerate(reads):
        wanted.setdefault(read.op, []).append(i)
    mapping, program = pir.IrMapping(), paddle.static.Program()
    with paddle.static.program_guard(program):
        masks = [paddle.static.data(f"mask_{i}", [len(read.units)], "float32") for i, read in enumerate(reads)]
        feeds = list(masks)
        for index, raw in enumerate(captured.ops):
            if raw.name() == "pd_op.data":
                feeds.append(_input(raw, mapping))
            else:
                _clone_masked(raw, mapping, [(masks[i], reads[i]) for i in wanted.get(index, ())])
        return program, feeds, [mapping.look_up(value) for value in captured.outputs]


def _input(raw: Any, mapping: Any) -> Any:
    value = raw.results()[0]
    dtype = str(value.dtype).removeprefix("paddle.").lower()
    feed = paddle.static.data(raw.attrs()["name"], value.shape, dtype)
    mapping.add(value, feed)
    return feed


def _clone_masked(raw: Any, mapping: Any, masks: Sequence[tuple[Any, Read]]) -> None:
    """Clone an operation so that it reads its operands times the masks."""
    plain = []
    for mask, read in masks:
        source = raw.operands_source()[read.operand]
        plain.append((source, mapping.look_up(source)))
        shape = [1] * len(source.shape)
        shape[read.axis] = len(read.units)
        mapping.add(source, mapping.look_up(source) * mask.reshape(shape))
    raw.clone(mapping, pir.CloneOptions(True, True, True))
    for source, value in reversed(plain):
        mapping.add(source, value)
