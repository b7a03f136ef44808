"""A layer to a flat list of operations: Paddle's program of it, described in plain data.

Traps of Paddle 3.3 that this module hides: some results are null values whose `id` raises; sizes that the forward
computes with `paddle.shape` are -1 in the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from paddle import nn

from paddleprune.errors import GraphError, said_by
from paddleprune.graph.capture import Capture, Said, capture, is_tensor
from paddleprune.graph.from_shapes import computed_from_shapes

_PADDLE_INTERNALS = tuple(f"/paddle/{part}" for part in ("nn/", "tensor/", "utils/", "base/", "pir/", "jit/", "_"))
_OWN = tuple(f"/paddleprune/{part}/" for part in ("graph", "api", "pruning", "sensitivity", "testing"))


@dataclass(frozen=True)
class Value:
    """A value of the traced program; `shape` is None where it isn't one dense tensor."""

    id: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Op:
    """An operation of the traced program. Absent optional inputs and null results are None.

    What the blocks of a control flow operation read stands behind its own inputs; `blocks` holds what they do.
    """

    name: str
    index: int
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value | None, ...]
    attrs: Mapping[str, Any]
    blocks: tuple[tuple[Op, ...], ...] = ()
    _callstack: Sequence[str] = field(default=(), repr=False)

    @cached_property
    def where(self) -> str:
        """The line of the network's source that runs this operation: `mobilenetv2.py:120`."""
        lines = [line.strip() for line in self._callstack if line.strip().startswith("File ")]
        own = [line for line in lines if not any(part in line for part in (*_PADDLE_INTERNALS, *_OWN))]
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
        strangers: value ids of parameters that the layer doesn't list.
        overwritten: buffers that the forward overwrites and nobody saves: they aren't state.
        numbers: value id -> integers that the forward computed from shapes alone.
        calls: layer name -> for each of its calls the id of the tensor that it gives; None where that isn't one.
        said: the sizes that forwards write.
        names: what each operation is called, those that declare parameters included.
        partly: as a capture's.
    """

    ops: tuple[Op, ...]
    parameters: Mapping[str, str]
    outputs: tuple[Value, ...]
    numbers: Mapping[str, list[int]]
    calls: Mapping[str, list[str | None]]
    strangers: frozenset[str]
    overwritten: frozenset[str]
    said: Sequence[Said] = ()
    names: tuple[str, ...] = ()
    partly: bool = False


@dataclass(frozen=True)
class Traces:
    """What a layer computes in both modes.

    Attributes:
        evaluating: its forward in evaluation mode.
        training: its forward as its own code has it in training mode, where that is something else.
        untraced: why that can't be traced; None if it can.
    """

    evaluating: Trace
    training: Trace | None = None
    untraced: str | None = None

    @property
    def parts(self) -> list[Trace]:
        """The one or two that there are."""
        return [part for part in (self.evaluating, self.training) if part is not None]


def trace(layer: nn.Layer, inputs: Sequence[Any]) -> Traces:
    """Capture a layer and describe its operations; arguments and errors as for `capture`.

    Where the layer's own code asks whether it trains, what it does then is traced, too.
    """
    captured, evaluated = trace_evaluating(layer, inputs)
    if not captured.asked:
        return Traces(evaluated)
    try:
        trained = capture(layer, inputs, train=True)  # the first one is still there, so that no value's id comes twice
    except GraphError as error:
        return Traces(evaluated, untraced=said_by(error.__cause__ or error))
    if _gist(trained) == _gist(captured):
        return Traces(evaluated)
    return Traces(evaluated, _described(trained, layer, inputs))


def trace_evaluating(layer: nn.Layer, inputs: Sequence[Any]) -> tuple[Capture, Trace]:
    """The same in evaluation mode alone; with the capture, whose values have their ids as long as it is there."""
    captured = capture(layer, inputs, partly=True)
    return captured, _described(captured, layer, inputs)


def _gist(captured: Capture) -> tuple[Any, ...]:
    """What tells one forward from another: its operations, the parameters that it uses, how much it returns."""
    return [(raw.name(), captured.parameter(raw)) for raw in captured.ops], len(captured.outputs)


def _described(captured: Capture, layer: nn.Layer, inputs: Sequence[Any]) -> Trace:
    shapes, numbers = computed_from_shapes(captured, layer, inputs)
    ops, parameters, strangers = [], {}, set()
    for index, raw in enumerate(captured.ops):
        name = captured.parameter(raw)
        if name is not None:
            parameters[str(raw.results()[0].id)] = name
        elif raw.name() == "builtin.parameter":
            strangers.add(str(raw.results()[0].id))
        else:
            ops.append(_op(raw, index, shapes))
    outputs = tuple(value for value in (_value(raw, shapes) for raw in captured.outputs) if value is not None)
    return Trace(
        ops=tuple(ops),
        parameters=parameters,
        outputs=outputs,
        numbers=numbers,
        calls=captured.calls,
        strangers=frozenset(strangers),
        overwritten=captured.overwritten,
        said=captured.said,
        names=tuple(raw.name() for raw in captured.ops),
        partly=captured.partly,
    )


def useful_ops(traced: Trace) -> set[int]:
    """The operations that have a part in an output."""
    wanted = {value.id for value in traced.outputs}
    found: set[int] = set()
    for op in reversed(traced.ops):
        made = [value.id for value in op.outputs if value is not None]
        if not made or not wanted.isdisjoint(made):
            found.add(op.index)
            wanted.update(value.id for value in op.inputs if value is not None)
    return found


def _op(raw: Any, index: int, shapes: Mapping[str, tuple[int, ...]]) -> Op:
    attrs = raw.attrs()
    callstack = attrs.pop("op_callstack", None) or ()
    read = [*raw.operands_source(), *_read_inside(raw)]
    inputs = tuple(_value(v, shapes) for v in read)
    outputs = tuple(_value(v, shapes) for v in raw.results())
    blocks = tuple(tuple(_op(inner, index, shapes) for inner in block.ops) for block in raw.blocks())
    return Op(raw.name().removeprefix("pd_op."), index, inputs, outputs, attrs, blocks, callstack)


def _value(raw: Any, shapes: Mapping[str, tuple[int, ...]]) -> Value | None:
    if not raw.initialized():
        return None
    try:
        identity = str(raw.id)
    except Exception:  # a null result, as batch_norm_ and dropout have
        return None
    if not is_tensor(raw):
        return Value(identity, None)
    return Value(identity, shapes.get(identity) or tuple(int(n) for n in raw.shape))


def _read_inside(raw: Any) -> Iterator[Any]:
    """What the blocks of a control flow operation read from outside of them."""
    for block in raw.blocks():
        made = {str(value.id) for value in block.args()}
        for inner in block.ops:
            for value in (*inner.operands_source(), *_read_inside(inner)):
                if value.initialized() and str(value.id) not in made:
                    yield value
            made.update(str(value.id) for value in inner.results() if value.initialized())
