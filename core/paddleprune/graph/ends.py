"""Forwards that end in a choice, such as a detector's suppression: what they choose from is compared.

Of two numbers that rounding makes equal either may be the larger, and how many boxes are left, the numbers say. So
what a choice returns proves nothing, and what it reads does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import paddle
from paddle import nn

from paddleprune.graph.branches import Branch
from paddleprune.graph.channels import Call, Ends
from paddleprune.graph.trace import Op, Trace
from paddleprune.graph.walker import Walker

_CHOICES = {
    *("nms", "matrix_nms", "multiclass_nms3", "generate_proposals"),
    *("nonzero", "masked_select", "unique", "if", "while"),
    *("argmax", "argmin", "argsort", "topk", "kthvalue", "mode"),
    *("equal", "not_equal", "greater_than", "greater_equal", "less_than", "less_equal"),
}
"""Operations that compare numbers, and whose results jump where two of them change places."""


def find_ends(traced: Trace, walker: Walker, stay: Collection[int], branches: Iterable[Branch] = ()) -> Ends:
    """The calls whose results are compared instead of the outputs, where the last steps of a forward choose.

    Args:
        traced: the forward in evaluation mode.
        walker: after its walk.
        stay: representatives of the atoms that can't be removed.
        branches: what may go as a whole.

    Returns:
        Nothing if nothing chooses, or parameters are used behind the calls that could be compared.
    """
    weights = traced.strangers | set(traced.parameters)
    chosen = _chosen(traced, weights)
    if chosen.isdisjoint(value.id for value in traced.outputs) and not traced.partly:
        return Ends()
    loose = {value for branch in branches for name in branch.layers for value in traced.calls.get(name, ())}
    calls: dict[str, Call] = {}
    for name, results in traced.calls.items():
        for number, value in enumerate(results):
            if value is not None and value not in chosen | loose and not _loses(walker, value, stay):
                calls.setdefault(value, (name, number))
    met, _ = _behind(traced, calls.keys())
    ends = tuple(call for value, call in calls.items() if value in met)
    return Ends() if met & weights else Ends(ends, behind(traced, ends))


def behind(traced: Trace, calls: Iterable[Call]) -> tuple[str, ...]:
    """What a forward does with the results of some calls, an entry for each operation.

    It is the same for two forwards that do the same with them.
    """
    values = {traced.calls[name][number] for name, number in calls if number < len(traced.calls.get(name, ()))}
    _, ops = _behind(traced, {value for value in values if value is not None})
    return tuple(f"{op.name} {_numbers(op)}" for op in ops)


def _behind(traced: Trace, values: Collection[str]) -> tuple[set[str], list[Op]]:
    """What is met on the way from the outputs back to some values, and the operations on it, in order."""
    met = {value.id for value in traced.outputs}
    ops: list[Op] = []
    for op in reversed(traced.ops):
        if any(value is not None and value.id in met and value.id not in values for value in op.outputs):
            ops.append(op)
            met.update(value.id for value in op.inputs if value is not None)
    return met, ops[::-1]


def _numbers(op: Op) -> list[tuple[str, Any]]:
    """What an operation is told."""
    plain = (bool, int, float, str, list, tuple)
    return sorted((name, value) for name, value in op.attrs.items() if isinstance(value, plain))


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
