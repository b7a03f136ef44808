"""A layer's forward to Paddle's own program of it, through Paddle's own tracer.

Traps of Paddle 3.3 that this module hides: `to_static` replaces the `forward` of the layer that it traces, and
wants its first argument to be called `self` (so a wrapper is traced); it rewrites Python that it doesn't know
(so plain Python is tried first); asking a list of tensors for its shape kills the process; parameters are called by
a process-wide counter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.errors import GraphError, said_by
from paddleprune.graph.inputs import input_specs, leaves, map_leaves, random_inputs, read_inputs
from paddleprune.graph.kept import kept_activations
from paddleprune.graph.modes import Mode, evaluating, switches, training
from paddleprune.graph.state import unchanged_buffers, undisturbed
from paddleprune.graph.telling import hearing
from paddleprune.graph.tensors import named_tensors
from paddleprune.paddle_private.programs import (
    Value,
    finite_loops,
    follow_in_place,
    short_stacks,
    unread_tensors,
    without_debug_names,
)

_FRAMES = 24
"""Of the Python stack at an operation: enough to find the line of a forward that calls it through three sequences."""


@dataclass(frozen=True)
class Said:
    """Sizes that a forward writes into a call, such as `reshape`, or into a slice.

    Attributes:
        layer: the layer's structured name.
        call: which of the calls in its methods, as `calls_of` has them.
        sizes: as the call takes them; None for what is no number. Of a slice, see `Heard`.
        results: ids of the tensors that it gives; of a slice, of what is sliced and of the part, if that is read.
    """

    layer: str
    call: str
    sizes: tuple[int | None, ...]
    results: tuple[str, ...]


@dataclass(frozen=True)
class Capture:
    """Paddle's own program of one forward pass.

    Attributes:
        ops: PIR operations, in order, those that declare parameters included.
        outputs: PIR values that the network returns.
        names: Paddle's name of a parameter or buffer -> its structured name.
        program: what owns them all.
        calls, overwritten, said: as a trace's.
        asked: whether the layer's own code asked for its mode, or switches more with it than Paddle does.
        partly: whether it ends behind the last layer that has parameters, since what follows can't be traced; its
            outputs are then the values that nothing has read until there.
    """

    ops: list[Any]
    outputs: list[Any]
    names: Mapping[str, str]
    program: Any
    calls: Mapping[str, list[str | None]]
    overwritten: frozenset[str]
    said: list[Said]
    asked: bool
    partly: bool = False

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


class _Partly(_Plain):
    """The same until it fails, if by then every layer that has parameters has run as often as it does.

    Args:
        layer: the layer.
        calls: layer name -> how often it runs.
    """

    def __init__(self, layer: nn.Layer, calls: Mapping[str, int]) -> None:
        super().__init__(layer)
        self.wanted, self.made, self.failed = calls, dict[str, list[str | None]](), False

    @paddle.jit.not_to_static  # type: ignore[untyped-decorator]
    def forward(self, inputs: list[Any]) -> Any:
        try:
            return self.layer(*inputs)
        except Exception:
            if any(len(self.made.get(name, ())) != count for name, count in self.wanted.items()):
                raise
            self.failed = True
            return unread_tensors()


def capture(
    layer: nn.Layer, inputs: Sequence[Any], batch: int | None = None, *, train: bool = False, partly: bool = False
) -> Capture:
    """Run a layer's forward through Paddle's tracer; the layer is left as it was.

    Args:
        layer: any layer.
        inputs: an entry for each argument of its forward, as `read_inputs` takes them.
        batch: another size of the batch axis than they have.
        train: what the layer's own code does in training mode; in evaluation mode otherwise.
        partly: be content with what comes before that can't be traced, if no layer with parameters lies behind it.

    Raises:
        GraphError: the forward can't be traced (wrong shapes, data-dependent Python, …).
    """
    wanted = read_inputs(inputs)
    try:
        with (training if train else evaluating)(layer) as mode:
            try:
                return _first_that_works(layer, input_specs(wanted, batch), mode)
            except Exception as error:
                found = _until_it_fails(layer, wanted, mode) if partly else None
                if found is None:
                    raise error
                return found
    except Exception as error:
        shapes = [leaf.shape for leaf in leaves(wanted)]
        raise GraphError(f"cannot trace {type(layer).__name__} for input shapes {shapes}: {said_by(error)}") from error


def _first_that_works(layer: nn.Layer, specs: Any, mode: Mode) -> Capture:
    try:
        with short_stacks(_FRAMES):
            return _capture(_Plain(layer), specs, mode)
    except Exception:
        return _capture(_Rewritten(layer), specs, mode)


def _until_it_fails(layer: nn.Layer, wanted: tuple[Any, ...], mode: Mode) -> Capture | None:
    """What comes before a part that can't be traced, and that no layer with parameters lies behind; else None."""
    if layer.parameters(include_sublayers=False):  # nobody knows when it is done with them
        return None
    holders = {name for name, sub in layer.named_sublayers() if sub.parameters(include_sublayers=False)}
    try:
        with undisturbed(layer), unchanged_buffers(layer), _calls_noted(layer) as calls, paddle.no_grad():
            layer(*map_leaves(paddle.to_tensor, list(random_inputs(wanted))))
        counts = {name: len(made) for name, made in calls.items() if name in holders}
        with short_stacks(_FRAMES):
            found = _capture(_Partly(layer, counts), input_specs(wanted), mode)
    except Exception:  # the reason why it can't be traced at all says more
        return None
    return found


def _capture(wrapper: _Rewritten, specs: Any, mode: Mode) -> Capture:
    layer = wrapper.layer
    tensors = named_tensors(layer)
    wrapper.eval()
    traced = paddle.jit.to_static(wrapper, input_spec=[specs], full_graph=True)
    with (
        undisturbed(layer),
        kept_activations(layer) as overwritten,
        without_debug_names(),
        finite_loops(),
        _calls_noted(layer) as calls,
        _sizes_noted(layer, isinstance(wrapper, _Plain)) as said,
    ):
        if isinstance(wrapper, _Partly):
            wrapper.made = calls
        program = traced.forward.main_program
        ops = list(program.global_block().ops)
        outputs = follow_in_place(ops, list(traced.forward.outputs))
    names = {tensor.name: name for name, tensor in tensors.items() if name not in overwritten}
    asked = mode.asked or switches(layer)
    partly = isinstance(wrapper, _Partly) and wrapper.failed
    return Capture(ops, outputs, names, program, calls, frozenset(overwritten), said, asked, partly)


@contextmanager
def _calls_noted(layer: nn.Layer) -> Iterator[dict[str, list[str | None]]]:
    """Which layers are called, and what each call gives."""
    found: dict[str, list[str | None]] = {}

    def note(name: str) -> Any:
        def hook(_: nn.Layer, inputs: Any, output: Any) -> None:
            one = isinstance(output, Value) and is_tensor(output)
            found.setdefault(name, []).append(str(output.id) if one else None)

        return hook

    hooks = [sub.register_forward_post_hook(note(name)) for name, sub in layer.named_sublayers()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _sizes_noted(layer: nn.Layer, plain: bool) -> Iterator[list[Said]]:
    """Which sizes forwards write; of a source that Paddle rewrites it can't be known."""
    found: list[Said] = []
    names = {id(sub): name for name, sub in layer.named_sublayers(include_self=True)}

    def hear(sub: nn.Layer, call: str, given: list[Any], taken: list[Any], result: Any) -> None:
        values = result if isinstance(result, (list, tuple)) else [result]
        if all(isinstance(value, Value) and is_tensor(value) for value in values):
            sizes = tuple(int(n) if isinstance(n, (int, np.integer)) else None for n in taken)
            found.append(Said(names[id(sub)], call, sizes, tuple(str(value.id) for value in values)))

    with hearing(layer, hear) if plain else nullcontext():
        yield found


def is_tensor(raw: Any) -> bool:
    """Is a PIR value one dense tensor? (Not null, as optional inputs are; not a list of tensors.)"""
    return bool(raw.initialized() and raw.is_dense_tensor_type())
