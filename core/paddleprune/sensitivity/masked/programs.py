"""Parts of a captured program, compiled for themselves by Paddle Inference."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.graph.capture import Capture
from paddleprune.graph.channels import Read
from paddleprune.graph.tensors import named_tensors
from paddleprune.interfaces import Array, Reduction
from paddleprune.paddle_private.programs import clone, new_mapping, short_stacks
from paddleprune.paddle_private.tensors import has_numbers, share, storage
from paddleprune.runtimes.inference import create_predictor
from paddleprune.sensitivity.masked.folding import Folded


@dataclass(frozen=True)
class Part:
    """A piece of a captured program.

    Attributes:
        ops: which operations, ascending; with the parameters and constants that they read.
        feeds: name -> value that is given instead of computed.
        outputs: values that it computes.
        reads: places whose operands are multiplied by a mask, `mask_0`, `mask_1`, … in this order.
        reduction: what is made of the outputs, beside them.
    """

    ops: Sequence[int]
    feeds: Mapping[str, Any]
    outputs: Sequence[Any]
    reads: Sequence[Read] = ()
    reduction: Reduction | None = None


@dataclass(frozen=True)
class Source:
    """What parts are parts of.

    Attributes:
        layer: has the weights.
        captured: the layer's program.
        folded: what is folded in it.
    """

    layer: nn.Layer
    captured: Capture
    folded: Folded

    @cached_property
    def size(self) -> int:
        """Bytes of its weights."""
        return sum(4 * int(np.prod(tensor.shape)) for tensor in named_tensors(self.layer).values())


class Compiled:
    """A part that runs: arrays in, arrays out.

    Args:
        source: what it is a part of.
        part: what of it to run.
        onednn: whether to use oneDNN.
    """

    def __init__(self, source: Source, part: Part, *, onednn: bool = True) -> None:
        with tempfile.TemporaryDirectory(prefix="paddleprune-") as folder:
            path = Path(folder) / "part"
            _save(source, part, path)
            self._predictor = create_predictor(path, onednn=onednn, device=paddle.get_device())
        given = set(self._predictor.get_input_names())
        self._inputs = {name: self._predictor.get_input_handle(name) for name in given}
        handles = [self._predictor.get_output_handle(name) for name in self._predictor.get_output_names()]
        self._outputs, self._reduced = handles[: len(part.outputs)], handles[len(part.outputs) :]

    def feed(self, name: str, array: Array) -> None:
        """Give an input; it stays until it is given again."""
        if name in self._inputs:  # what only pruned branches read is gone
            self._inputs[name].copy_from_cpu(np.ascontiguousarray(array))

    def run(self, *, reduced: bool = False) -> tuple[Array, ...]:
        """Compute the outputs, or what the part's reduction makes of them."""
        self._predictor.run()
        return tuple(handle.copy_to_cpu() for handle in (self._reduced if reduced else self._outputs))


def _save(source: Source, part: Part, path: Path) -> None:
    """Write a part and the weights that it reads for Paddle Inference."""
    weights = _weights(source)  # the tensors have to live until all is written
    held = {name: storage(tensor) for name, tensor in weights.items()}
    paddle.enable_static()
    try:
        with short_stacks(0):
            program, feeds, outputs, used = _program(source, part)
        scope = paddle.static.Scope()
        with paddle.static.scope_guard(scope):
            for name in used:
                share(scope.var(name), held[name])  # copies would stay in memory
            executor = paddle.static.Executor(paddle.CPUPlace())
            paddle.static.save_inference_model(str(path), feeds, outputs, executor, program=program)
    finally:
        paddle.disable_static()


def _weights(source: Source) -> dict[str, paddle.Tensor]:
    """Paddle's name of a parameter -> its values in the CPU's memory; where the layer has them, if that is there."""
    tensors = named_tensors(source.layer)
    layers = {name: tensors[structured] for name, structured in source.captured.names.items()}
    return {name: _on_cpu(tensor) for name, tensor in {**layers, **source.folded.weights}.items()}


def _on_cpu(tensor: paddle.Tensor) -> paddle.Tensor:
    """The tensor itself, if it lies there; a recurrent layer's state of its dropout lies nowhere yet."""
    lies = has_numbers(tensor) and tensor.place.is_cpu_place()
    return tensor if lies else paddle.to_tensor(tensor.numpy(), place="cpu")


def _program(source: Source, part: Part) -> tuple[Any, list[Any], list[Any], list[str]]:
    """A part as a program of its own: the program, its inputs and outputs, and Paddle's names of its weights."""
    wanted: dict[int, list[int]] = {}
    for i, read in enumerate(part.reads):
        wanted.setdefault(read.op, []).append(i)
    mapping, program, used = new_mapping(), paddle.static.Program(), []
    with paddle.static.program_guard(program):
        masks = [paddle.static.data(f"mask_{i}", [len(read.units)], "float32") for i, read in enumerate(part.reads)]
        feeds = [*masks, *(_feed(name, value, mapping) for name, value in part.feeds.items())]
        for index in part.ops:
            raw = source.captured.ops[index]
            if raw.name() == "pd_op.data" or index in source.folded.gone:
                continue
            if raw.name() == "builtin.parameter":
                used.append(raw.attrs()["parameter_name"])
            if index in source.folded.shifts:
                _shift(raw, source.captured.ops[source.folded.shifts[index]], mapping)
            else:
                _clone_masked(raw, mapping, [(masks[i], part.reads[i]) for i in wanted.get(index, ())])
        outputs = [mapping.look_up(value) for value in part.outputs]
        reduced = part.reduction(tuple(outputs)) if part.reduction else ()
        return program, feeds, [*outputs, *reduced], used


def _shift(norm: Any, declares_bias: Any, mapping: Any) -> None:
    """Add to the channels [N, C, H, W] what is left of a folded batch norm."""
    bias = mapping.look_up(declares_bias.results()[0]).reshape([1, -1, 1, 1])
    mapping.add(norm.results()[0], mapping.look_up(norm.operands_source()[0]) + bias)


def _feed(name: str, value: Any, mapping: Any) -> Any:
    dtype = str(value.dtype).removeprefix("paddle.").lower()
    feed = paddle.static.data(name, value.shape, dtype)
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
    clone(raw, mapping)
    for source, value in reversed(plain):
        mapping.add(source, value)
