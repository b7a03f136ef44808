"""Forwards that end in a choice, such as a detector's suppression: what they choose from is compared.

Of two numbers that rounding makes equal either may be the larger, and how many boxes are left, the numbers say. So
what a choice returns proves nothing, and what it reads does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import paddle
from paddle import nn

from paddleprune.graph.trace import Op, Trace
from paddleprune.graph.walker import Walker

Call: TypeAlias = tuple[str, int]
"""A layer's structured name, and which of its calls in a forward."""

_CHOICES = {
    *("nms", "matrix_nms", "multiclass_nms3", "generate_proposals"),
    *("nonzero", "masked_select", "unique", "if", "while"),
    *("argmax", "argmin", "argsort", "topk", "kthvalue", "mode"),
    *("equal", "not_equal", "greater_than", "greater_equal", "less_than", "less_equal"),
}
"""Operations that compare numbers, and whose results jump where two of them change places."""


@dataclass(frozen=True)
class _Search:
    """The way from what a network returns back to the calls that give the numbers.

    Attributes:
        makers: value id -> the operation that made it.
        calls: value id -> the call of a layer that gives it, of those whose width stays and that choose nothing.
        weights: ids of parameters.
    """

    makers: dict[str, Op]
    calls: dict[str, Call]
    weights: Collection[str]

    def calls_behind(self, outputs: Collection[str]) -> tuple[Call, ...]:
        """The calls from which outputs are computed without parameters; none if there are parameters on the way."""
        found: dict[Call, None] = {}
        waiting, known = list(outputs), set(outputs)
        while waiting:
            value = waiting.pop()
            if value in self.weights:
                return ()
            if value in self.calls:
                found[self.calls[value]] = None
            elif value in self.makers:
                sources = {source.id for source in self.makers[value].inputs if source is not None}
                waiting += sources - known
                known |= sources
        return tuple(found)


def find_ends(traced: Trace, walker: Walker, stay: Collection[int]) -> tuple[Call, ...]:
    """The calls whose results are compared instead of the outputs, where the last steps of a forward choose.

    Args:
        traced: the forward in evaluation mode.
        walker: after its walk.
        stay: representatives of the atoms that can't be removed.

    Returns:
        Calls of layers; none if nothing chooses, or parameters are used behind these calls.
    """
    makers = {value.id: op for op in traced.ops for value in op.outputs if value is not None}
    weights = traced.strangers | set(traced.parameters)
    chosen = _chosen(traced, weights)
    outputs = {value.id for value in traced.outputs}
    if outputs.isdisjoint(chosen) and not traced.partly:
        return ()
    calls: dict[str, Call] = {}
    for name, results in traced.calls.items():
        for number, value in enumerate(results):
            if value is not None and value not in chosen and not _loses(walker, value, stay):
                calls.setdefault(value, (name, number))
    return _Search(makers, calls, weights).calls_behind(outputs)


def _chosen(traced: Trace, weights: Collection[str]) -> set[str]:
    """The values that depend on a choice behind which there are no parameters."""
    before = set(weights)  # what goes into something with parameters
    for op in reversed(traced.ops):
        if any(value is not None and value.id in before for value in (*op.inputs, *op.outputs)):
            before.update(value.id for value in op.inputs if value is not None)
    found: set[str] = set()
    for op in traced.ops:
        last = op.name in _CHOICES and not any(value is not None and value.id in before for value in op.outputs)
        if last or any(value is not None and value.id in found for value in op.inputs):
            found.update(value.id for value in op.outputs if value is not None)
    return found


def _loses(walker: Walker, value: str, stay: Collection[int]) -> bool:
    """Can anything be removed from a value?"""
    atoms = [walker.table.find(track.atoms) for track in walker.tracks.get(value, ())]
    return any(unit not in stay for part in atoms for unit in part.ravel().tolist())


@contextmanager
def noted(layer: nn.Layer, ends: Collection[Call]) -> Iterator[dict[Call, Any]]:
    """While open and the layer runs once, note copies of what some calls give."""
    found: dict[Call, Any] = {}
    wanted = {name for name, _ in ends}
    counts = dict.fromkeys(wanted, 0)

    def note(name: str) -> Any:
        def hook(_: nn.Layer, inputs: Any, output: Any) -> None:
            call, counts[name] = (name, counts[name]), counts[name] + 1
            if call in ends and isinstance(output, paddle.Tensor):
                found[call] = output.clone()

        return hook

    hooks = [sub.register_forward_post_hook(note(name)) for name, sub in layer.named_sublayers() if name in wanted]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
