"""A layer to a flat list of operations, through Paddle's own tracer. The only place that touches PIR.

Traps of Paddle 3.3 that this module hides: `to_static` replaces `layer.forward`; some results are null
values whose `id` raises; parameters are called by a process-wide counter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import paddle
from paddle import nn

from paddleprune.errors import GraphError
from paddleprune.graph.tensors import named_tensors

_PADDLE_INTERNALS = tuple(f"/paddle/{part}" for part in ("nn/", "tensor/", "utils/", "base/", "pir/", "jit/", "_"))


@dataclass(frozen=True)
class Value:
    """A value of the traced program; `shape` is None where it isn't one dense tensor."""

    id: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Op:
    """An operation of the traced program. Absent optional inputs and null results are None."""

    name: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value | None, ...]
    attrs: Mapping[str, Any]
    _callstack: Sequence[str] = field(default=(), repr=False)

    @cached_property
    def where(self) -> str:
        """The line of the network's source that runs this operation: `mobilenetv2.py:120`."""
        lines = [line.strip() for line in self._callstack if line.strip().startswith("File ")]
        own = [line for line in lines if not any(part in line for part in _PADDLE_INTERNALS)]
        if not own:
            return "an unknown line"
        path, line = own[-1].split(", ")[:2]
        file = path.split("/")[-1].strip('"')
        return f"{file}:{line.removeprefix('line ')}"


@dataclass(frozen=True)
class Trace:
    """The operations of one forward pass, in order.

    Attributes:
        ops: without those that only declare parameters.
        parameters: value id -> structured name, e.g. `features.3.conv.0.weight`.
        outputs: what the network returns, flattened.
    """

    ops: tuple[Op, ...]
    parameters: Mapping[str, str]
    outputs: tuple[Value, ...]


@dataclass(frozen=True)
class Capture:
    """Paddle's own program of one forward pass.

    Attributes:
        ops: PIR operations, in order, those that declare parameters included.
        outputs: PIR values that the network returns.
        names: Paddle's name of a parameter or buffer -> its structured name.
        program: what owns them all.
    """

    ops: list[Any]
    outputs: list[Any]
    names: Mapping[str, str]
    program: Any

    def parameter(self, raw: Any) -> str | None:
        """The structured name of the parameter that an operation declares; None for any other operation."""
        if raw.name() != "builtin.parameter":
            return None
        return self.names.get(raw.attrs()["parameter_name"])


def capture(layer: nn.Layer, shapes: Sequence[tuple[int, ...]]) -> Capture:
    """Run a layer's forward through Paddle's tracer in evaluation mode; the layer is left as it was.

    Args:
        layer: any layer whose forward takes tensors.
        shapes: shape of each input, batch axis included; all float32.

    Raises:
        GraphError: the forward can't be traced (data-dependent control flow, wrong shapes, …).
    """
    specs = [paddle.static.InputSpec(list(shape), "float32", f"input_{i}") for i, shape in enumerate(shapes)]
    was_training, had_forward = layer.training, "forward" in vars(layer)
    layer.eval()
    traced = paddle.jit.to_static(layer, input_spec=specs, full_graph=True)
    try:
        program, outputs = traced.forward.main_program, list(traced.forward.outputs)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise GraphError(
            f"cannot trace {type(layer).__name__} for input shapes {[tuple(s) for s in shapes]}: {reason}"
        ) from error
    finally:
        traced.forward.rollback()
        if not had_forward:
            vars(layer).pop("forward", None)
        if was_training:
            layer.train()
    names = {tensor.name: name for name, tensor in named_tensors(layer).items()}
    return Capture(list(program.global_block().ops), outputs, names, program)


def trace(layer: nn.Layer, shapes: Sequence[tuple[int, ...]]) -> Trace:
    """Capture a layer and describe its operations; arguments and errors as for `capture`."""
    captured = capture(layer, shapes)
    ops, parameters = [], {}
    for raw in captured.ops:
        name = captured.parameter(raw)
        if name is not None:
            parameters[raw.results()[0].id] = name
        elif raw.name() != "builtin.parameter":
            ops.append(_op(raw))
    return Trace(tuple(ops), parameters, tuple(v for v in map(_value, captured.outputs) if v is not None))


def _op(raw: Any) -> Op:
    attrs = raw.attrs()
    callstack = attrs.pop("op_callstack", None) or ()
    inputs = tuple(_value(v) for v in raw.operands_source())
    outputs = tuple(_value(v) for v in raw.results())
    return Op(raw.name().removeprefix("pd_op."), inputs, outputs, attrs, callstack)


def _value(raw: Any) -> Value | None:
    try:
        identity = str(raw.id)
    except Exception:  # a null value, as batch_norm_ and dropout have
        return None
    try:
        return Value(identity, tuple(int(n) for n in raw.shape))
    except Exception:  # not a dense tensor: a list of tensors, or an undefined result
        return Value(identity, None)
