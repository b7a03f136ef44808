"""A layer to a flat list of operations, through Paddle's own tracer. The only place that touches PIR.

Traps of Paddle 3.3 that this module hides: `to_static` replaces the `forward` of the layer that it traces, and
wants its first argument to be called `self` (so a wrapper is traced); it rewrites Python that it doesn't know
(so plain Python is tried first); some results are null values whose `id`
raises; asking a list of tensors for its shape kills the process; parameters are called by a process-wide counter;
sizes that the forward computes with `paddle.shape` are -1 in the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import paddle
from paddle import nn
from paddle.nn.layer import layers as paddle_layers

from paddleprune.errors import GraphError, said_by
from paddleprune.graph.inputs import input_specs, leaves, random_inputs, read_inputs
from paddleprune.graph.kept import kept_activations
from paddleprune.graph.modes import Mode, evaluating, switches, training
from paddleprune.graph.state import undisturbed
from paddleprune.graph.tensors import named_tensors

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
        normalized: layer name -> ids of the values that it normalizes, of norms without weights of their own.
        calls: layer name -> for each of its calls the id of the tensor that it gives; None where that isn't one.
    """

    ops: tuple[Op, ...]
    parameters: Mapping[str, str]
    outputs: tuple[Value, ...]
    numbers: Mapping[str, list[int]]
    normalized: Mapping[str, list[str]]
    calls: Mapping[str, list[str | None]]
    strangers: frozenset[str]
    overwritten: frozenset[str]


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


@dataclass(frozen=True)
class Capture:
    """Paddle's own program of one forward pass.

    Attributes:
        ops: PIR operations, in order, those that declare parameters included.
        outputs: PIR values that the network returns.
        names: Paddle's name of a parameter or buffer -> its structured name.
        program: what owns them all.
        normalized, calls, overwritten: as a trace's.
        asked: whether the layer's own code asked for its mode, or switches more with it than Paddle does.
    """

    ops: list[Any]
    outputs: list[Any]
    names: Mapping[str, str]
    program: Any
    normalized: Mapping[str, list[str]]
    calls: Mapping[str, list[str | None]]
    overwritten: frozenset[str]
    asked: bool

    def parameter(self, raw: Any) -> str | None:
        """The structured name of the parameter that an operation declares; None for any other operation."""
        if raw.name() != "builtin.parameter":
            return None
        return self.names.get(raw.attrs()["parameter_name"])


class _Rewritten(nn.Layer):
    """Calls a layer with a list of arguments; Paddle rewrites the source of its forward, for control flow."""

    def __init__(self, layer: nn.Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, inputs: list[Any]) -> Any:
        return self.layer(*inputs)


class _Plain(_Rewritten):
    """The same as Python runs it: faster, and nothing is rewritten wrongly; a condition on data raises."""

    @paddle.jit.not_to_static  # type: ignore[untyped-decorator]
    def forward(self, inputs: list[Any]) -> Any:
        return self.layer(*inputs)


def capture(layer: nn.Layer, inputs: Sequence[Any], batch: int | None = None, *, train: bool = False) -> Capture:
    """Run a layer's forward through Paddle's tracer; the layer is left as it was.

    Args:
        layer: any layer.
        inputs: an entry for each argument of its forward, as `read_inputs` takes them.
        batch: another size of the batch axis than they have.
        train: what the layer's own code does in training mode; in evaluation mode otherwise.

    Raises:
        GraphError: the forward can't be traced (wrong shapes, data-dependent Python, …).
    """
    wanted = read_inputs(inputs)
    try:
        with (training if train else evaluating)(layer) as mode:
            return _first_that_works(layer, input_specs(wanted, batch), mode)
    except Exception as error:
        shapes = [leaf.shape for leaf in leaves(wanted)]
        raise GraphError(f"cannot trace {type(layer).__name__} for input shapes {shapes}: {said_by(error)}") from error


def _first_that_works(layer: nn.Layer, specs: Any, mode: Mode) -> Capture:
    try:
        return _capture(_Plain(layer), specs, mode)
    except Exception:
        return _capture(_Rewritten(layer), specs, mode)


def _capture(wrapper: _Rewritten, specs: Any, mode: Mode) -> Capture:
    layer = wrapper.layer
    tensors = named_tensors(layer)
    wrapper.eval()
    traced = paddle.jit.to_static(wrapper, input_spec=[specs], full_graph=True)
    with (
        undisturbed(layer),
        kept_activations(layer) as overwritten,
        _without_debug_names(),
        _norms_noted(layer) as normalized,
        _calls_noted(layer) as calls,
    ):
        program, outputs = traced.forward.main_program, list(traced.forward.outputs)
    names = {tensor.name: name for name, tensor in tensors.items() if name not in overwritten}
    asked = mode.asked or switches(layer)
    ops = list(program.global_block().ops)
    return Capture(ops, outputs, names, program, normalized, calls, frozenset(overwritten), asked)


@contextmanager
def _without_debug_names() -> Iterator[None]:
    """Paddle names what each layer adds to a program, and counts all operations so far for it: quadratic."""
    module = vars(paddle_layers)
    naming = module.get("name_struct")
    if naming is not None:
        module["name_struct"] = lambda *args: nullcontext()
    try:
        yield
    finally:
        if naming is not None:
            module["name_struct"] = naming


@contextmanager
def _norms_noted(layer: nn.Layer) -> Iterator[dict[str, list[str]]]:
    """What norms without weights are called with: no parameter of theirs would tell."""
    found: dict[str, list[str]] = {}

    def note(name: str) -> Any:
        return lambda _, inputs: found.setdefault(name, []).append(str(inputs[0].id))

    norms = [
        sub.register_forward_pre_hook(note(name))
        for name, sub in layer.named_sublayers(include_self=True)
        if isinstance(sub, (nn.LayerNorm, nn.GroupNorm)) and sub.weight is None
    ]
    try:
        yield found
    finally:
        for hook in norms:
            hook.remove()


@contextmanager
def _calls_noted(layer: nn.Layer) -> Iterator[dict[str, list[str | None]]]:
    """Which layers are called, and what each call gives."""
    found: dict[str, list[str | None]] = {}

    def note(name: str) -> Any:
        def hook(_: nn.Layer, inputs: Any, output: Any) -> None:
            one = isinstance(output, paddle.pir.Value) and is_tensor(output)
            found.setdefault(name, []).append(str(output.id) if one else None)

        return hook

    hooks = [sub.register_forward_post_hook(note(name)) for name, sub in layer.named_sublayers()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def trace(layer: nn.Layer, inputs: Sequence[Any]) -> Traces:
    """Capture a layer and describe its operations; arguments and errors as for `capture`.

    Where the layer's own code asks whether it trains, what it does then is traced, too.
    """
    captured = capture(layer, inputs)
    evaluated = _described(captured, layer, inputs)
    if not captured.asked:
        return Traces(evaluated)
    try:
        trained = capture(layer, inputs, train=True)  # the first one is still there, so that no value's id comes twice
    except GraphError as error:
        return Traces(evaluated, untraced=said_by(error.__cause__ or error))
    if _gist(trained) == _gist(captured):
        return Traces(evaluated)
    return Traces(evaluated, _described(trained, layer, inputs))


def _gist(captured: Capture) -> tuple[Any, ...]:
    """What tells one forward from another: its operations, the parameters that it uses, how much it returns."""
    return [(raw.name(), captured.parameter(raw)) for raw in captured.ops], len(captured.outputs)


def _described(captured: Capture, layer: nn.Layer, inputs: Sequence[Any]) -> Trace:
    shapes, numbers = _computed(captured, layer, inputs)
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
        normalized=captured.normalized,
        calls=captured.calls,
        strangers=frozenset(strangers),
        overwritten=captured.overwritten,
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


def is_tensor(raw: Any) -> bool:
    """Is a PIR value one dense tensor? (Not null, as optional inputs are; not a list of tensors.)"""
    return bool(raw.initialized() and raw.is_dense_tensor_type())


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


_FROM_SHAPES = frozenset(f"pd_op.{name}" for name in ("shape64", "shape", "numel", "full", "full_int_array"))


def _computed(
    captured: Capture, layer: nn.Layer, inputs: Sequence[Any]
) -> tuple[dict[str, tuple[int, ...]], dict[str, list[int]]]:
    """Sizes and integers that the forward computes from shapes, found by running the program once.

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
