"""Sizes and integers that a forward computes from shapes: Paddle's program doesn't say them, so it is run once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.graph.capture import Capture, is_tensor
from paddleprune.graph.inputs import leaves, random_inputs, read_inputs
from paddleprune.graph.tensors import named_tensors

_FROM_SHAPES = frozenset(f"pd_op.{name}" for name in ("shape64", "shape", "numel", "full", "full_int_array"))


def computed_from_shapes(
    captured: Capture, layer: nn.Layer, inputs: Sequence[Any]
) -> tuple[dict[str, tuple[int, ...]], dict[str, list[int]]]:
    """What a forward computes from shapes, found by running its program once.

    Args:
        captured: the program.
        layer: what it was captured from.
        inputs: as `read_inputs` takes them.

    Returns:
        Value id -> shape, where the program doesn't know it; value id -> integers that depend on shapes alone.
    """
    if not any(raw.name() in ("pd_op.shape64", "pd_op.shape", "pd_op.numel") for raw in captured.ops):
        return {}, {}
    unknown: list[Any] = []
    numbers: list[Any] = []
    known: set[Any] = set()
    for raw in captured.ops:
        results = [value for value in raw.results() if value.initialized()]
        if raw.name() in _FROM_SHAPES or (
            raw.num_operands() and all(v.initialized() and v.id in known for v in raw.operands_source())
        ):
            known.update(value.id for value in results)
        for value in results:
            if is_tensor(value) and any(n < 0 for n in value.shape):
                unknown.append(value)
            elif is_tensor(value) and value.id in known and "int" in str(value.dtype) and len(value.shape) <= 1:
                numbers.append(value)
    arrays = _run(captured, layer, inputs, [*unknown, *numbers])
    shapes = {str(value.id): array.shape for value, array in zip(unknown, arrays, strict=False)}
    found = zip(numbers, arrays[len(unknown) :], strict=True)
    return shapes, {str(value.id): np.ravel(array).astype(int).tolist() for value, array in found}


def _run(captured: Capture, layer: nn.Layer, inputs: Sequence[Any], wanted: list[Any]) -> list[Any]:
    tensors = named_tensors(layer)
    weights = {
        raw.attrs()["parameter_name"]: _content(captured.parameter(raw), raw, tensors)
        for raw in captured.ops
        if raw.name() == "builtin.parameter"
    }
    arrays = leaves(list(random_inputs(read_inputs(inputs))))
    paddle.enable_static()
    try:
        scope = paddle.static.Scope()
        with paddle.static.scope_guard(scope):
            for name, array in weights.items():
                scope.var(name).get_tensor().set(array, paddle.CPUPlace())
            feed = {f"input_{i}": array for i, array in enumerate(arrays)}
            executor = paddle.static.Executor(paddle.CPUPlace())
            return list(executor.run(captured.program, feed=feed, fetch_list=wanted))
    finally:
        paddle.disable_static()


def _content(name: str | None, raw: Any, tensors: Mapping[str, Any]) -> Any:
    """The content of a parameter; zeros for one that the layer doesn't list, since sizes hardly depend on it."""
    if name is not None:
        return tensors[name].numpy()
    value = raw.results()[0]
    return np.zeros(value.shape, str(value.dtype).removeprefix("paddle.").lower())
