"""The exactness contract: the masked dense model and the shrunk one give the same outputs."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.errors import CertificateError, GraphError, PlanError
from paddleprune.graph import ChannelGraph, masked
from paddleprune.graph.ends import behind
from paddleprune.graph.tensors import named_tensors, saved_tensors
from paddleprune.graph.trace import trace_evaluating
from paddleprune.interfaces import Array
from paddleprune.pruning.emptied import emptied_in
from paddleprune.pruning.forwards import ForwardError, Outputs, is_numbers, noise, run, same
from paddleprune.pruning.outcome import Certificate
from paddleprune.pruning.plan import Buffer, Plan
from paddleprune.pruning.surgery import Undo, attributes_of, shrink
from paddleprune.sensitivity import model_digest

TOLERANCE = 1e-4
"""Largest difference that passes, as a share of the outputs' largest value (float32 rounding is about 1e-6)."""

_LARGEST_BUFFER = 1 << 20
"""Numbers of a buffer that a plan may hold."""


class Unlike(ValueError):  # noqa: N818 (it says what is unlike)
    """What two networks return can't be compared, or isn't a matter of numbers."""


class Beside(Unlike):
    """What they return beside their tensors is unlike."""


def prune(layer: nn.Layer, graph: ChannelGraph, plan: Plan, probe: Sequence[Array]) -> Plan:
    """Carry a plan out: shrink the layer in place and prove it on a probe batch.

    Where the layer's own code asks whether it trains, its training forward is proved, too.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        plan: what stays.
        probe: inputs of the layer, each [N, ...].

    Returns:
        The plan with its certificate.

    Raises:
        PlanError: the plan doesn't fit the network, or cuts a large buffer that isn't saved.
        CertificateError: the dense network doesn't run on the probe; or the outputs differ, or the shrunk network
            doesn't run; the layer is restored bit for bit.
    """
    before, removed, model = attributes_of(layer, graph), plan.removed(graph), model_digest(layer)
    unsaved = _unsaved(layer, graph)
    certificate = _certified(layer, graph, removed, tuple(probe))
    after = attributes_of(layer, graph.without(removed))
    changed = {name: attributes for name, attributes in after.items() if attributes != before.get(name)}
    tensors = named_tensors(layer)
    buffers = {name: Buffer.of(tensors[name].numpy()) for name in unsaved if name in tensors}
    done = {"model": model, "certificate": certificate, "attributes": changed, "buffers": buffers}
    done["emptied"] = emptied_in(layer)
    return plan.model_copy(update=done)


def _unsaved(layer: nn.Layer, graph: ChannelGraph) -> list[str]:
    """Buffers that a cut may change and `state_dict()` leaves out.

    Raises:
        PlanError: one is too large to be kept in a plan.
    """
    units = {unit for group in graph.prunable for unit in group.units}
    touched = {axis.parameter for axis in graph.axes if not units.isdisjoint(axis.units.tolist())}
    found = sorted(touched - saved_tensors(layer).keys())
    for name in found:
        if math.prod(graph.shapes[name]) > _LARGEST_BUFFER:
            raise PlanError(
                f"the buffer {name!r} {list(graph.shapes[name])} is cut but not saved with the weights, and too large "
                "to be kept in the plan; register it with persistable=True"
            )
    return found


def _certified(layer: nn.Layer, graph: ChannelGraph, removed: Sequence[int], inputs: tuple[Any, ...]) -> Certificate:
    """Shrink a layer, if that is exact."""
    try:
        dense = run(layer, inputs, graph.trains, graph.ends.calls)
    except ForwardError as error:
        raise CertificateError(f"the network itself doesn't run on the probe: {error}; nothing was changed") from error
    problem, ignored = "", frozenset[int]()
    for _ in range(2):
        try:
            undo, certificate = shrink_and_compare(layer, graph, removed, inputs, dense=dense, ignored=ignored)
        except ForwardError as error:
            raise CertificateError(f"the shrunk network doesn't run ({error}); nothing was changed") from error
        except Unlike as error:
            problem = str(error)
        else:
            if certificate.passed:
                return certificate
            undo(layer)
            problem = (
                f"the shrunk network's outputs differ by {certificate.max_difference:.3g} from the masked one's "
                f"(they reach {certificate.scale:.3g})"
            )
        chance, ignored = noise(layer, inputs, graph.trains, graph.ends.calls)
        if chance:
            problem = "the forward draws random numbers in evaluation mode, so that nothing can be proved"
        if chance or not ignored:
            break
    raise CertificateError(f"{problem}; nothing was changed")


def shrink_and_compare(
    layer: nn.Layer,
    graph: ChannelGraph,
    removed: Sequence[int],
    probe: Sequence[Any],
    *,
    dense: Outputs | None = None,
    ignored: Collection[int] = (),
    strict: bool = True,
) -> tuple[Undo, Certificate]:
    """Mask units, then really remove them, and compare what is returned, in training mode too if that differs.

    Units that can't be masked are removed before the comparison begins.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        removed: the units.
        probe: inputs of the layer.
        dense: what it returns for them whole, to tell how far the mask moves that.
        ignored, strict: as for `compare`.

    Returns:
        What restores the layer bit for bit, and the certificate, passed or not.

    Raises:
        ForwardError: the masked or shrunk network doesn't run; the layer is restored.
        Unlike: what they return can't be compared; the layer is restored.
    """
    inputs, inexact = tuple(probe), graph.inexact_units(removed)
    undo = shrink(layer, graph, inexact)
    try:
        rest, exact = graph.without(inexact), [unit for unit in removed if unit not in set(inexact)]
        with masked(layer, rest, exact):
            expected = run(layer, inputs, graph.trains, graph.ends.calls)
        undo = shrink(layer, rest, exact).after(undo)
        got = run(layer, inputs, graph.trains, graph.ends.calls)
        certificate = compare(expected.leaves, got.leaves, ignored, strict=strict)
        _check_behind(layer, graph)
    except BaseException:
        undo(layer)
        raise
    names = tuple(group.name for group in graph.groups if set(group.units) & set(inexact))
    said: dict[str, Any] = {"inexact": names, "training": graph.trains}
    alike = dense is not None and _shapes(dense.leaves) == _shapes(expected.leaves)  # or the data decide how many
    if dense is not None and alike and exact and not inexact:
        said["moved"] = _difference(dense.leaves, expected.leaves, ignored)
    return undo, certificate.model_copy(update=said)


def _check_behind(layer: nn.Layer, graph: ChannelGraph) -> None:
    """Check that a shrunk network does with what is compared, where that isn't its outputs, what the dense one does.

    Raises:
        Unlike: it doesn't.
    """
    if not graph.ends.calls:
        return
    try:
        _, traced = trace_evaluating(layer, graph.inputs)
    except GraphError as error:
        raise Unlike(str(error)) from error
    if behind(traced, graph.ends.calls) != graph.ends.behind:
        raise Unlike("what follows its last layers changes with it")


def compare(
    expected: Sequence[Any], got: Sequence[Any], ignored: Collection[int] = (), *, strict: bool = True
) -> Certificate:
    """Compare what a masked network returns with what the shrunk one does: tensors as numbers, the rest by equality.

    Args:
        expected, got: leaves, tensors as arrays.
        ignored: numbers of leaves that random numbers decide: only their shapes are compared.
        strict: refuse numbers that aren't finite; otherwise they need only be so at the same places.

    Raises:
        Unlike: they differ in number, kind or shape, or in what isn't a tensor; or they aren't finite.
    """
    shapes = [_shapes(leaves) for leaves in (expected, got)]
    if shapes[0] != shapes[1]:
        raise Unlike(f"output shapes {shapes[0]} became {shapes[1]}")
    for a, b in zip(expected, got, strict=True):
        if not is_numbers(a) and not same(a, b):
            raise Beside(f"the forward returns {a!r} beside its tensors, which became {b!r}")
        if is_numbers(a) and not np.array_equal(np.isfinite(a), np.isfinite(b)):
            raise Unlike("the outputs are finite at other places")
    numbers = [a for a in expected if is_numbers(a)]
    if strict and not all(np.isfinite(a).all() for a in numbers):
        raise Unlike("the outputs aren't finite; the weights hold NaN or infinite values")
    measured = [a for a in numbers if a.dtype.kind in "fc"] or numbers
    return Certificate(
        max_difference=_difference(expected, got, ignored),
        scale=max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in measured), default=0.0),
        tolerance=TOLERANCE,
        batch=len(numbers[0]) if numbers and numbers[0].ndim else 1,
    )


def _shapes(leaves: Sequence[Any]) -> list[Any]:
    return [x.shape if is_numbers(x) else type(x).__name__ for x in leaves]


def _difference(expected: Sequence[Any], got: Sequence[Any], ignored: Collection[int]) -> float:
    """The largest difference between numbers, where they are finite."""
    worst = 0.0
    for i, (a, b) in enumerate(zip(expected, got, strict=True)):
        if is_numbers(a) and i not in ignored:
            finite = np.isfinite(a) & np.isfinite(b)
            wide = np.result_type(a.dtype, np.float64)
            worst = max(worst, float(np.abs(a[finite].astype(wide) - b[finite]).max(initial=0)))
    return worst
