"""The exactness contract: the masked dense model and the shrunk one give the same outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from paddle import nn

from paddleprune.errors import CertificateError, said_by
from paddleprune.graph import ChannelGraph, masked
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import eager_forward
from paddleprune.pruning.plan import Certificate, Plan
from paddleprune.pruning.surgery import Undo, attributes_of, shrink
from paddleprune.sensitivity import model_digest

TOLERANCE = 1e-4
"""Largest difference that passes, as a share of the outputs' largest value (float32 rounding is about 1e-6)."""


def prune(layer: nn.Layer, graph: ChannelGraph, plan: Plan, probe: Sequence[Array]) -> Plan:
    """Carry a plan out: shrink the layer in place and prove it on a probe batch.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        plan: what stays.
        probe: inputs of the layer, each [N, ...].

    Returns:
        The plan with its certificate.

    Raises:
        PlanError: the plan doesn't fit the network.
        CertificateError: the outputs differ, or the shrunk network doesn't run; the layer is restored bit for bit.
    """
    was_training, before, model = layer.training, attributes_of(layer, graph), model_digest(layer)
    try:
        removed = plan.removed(graph)
        undo, certificate = shrink_and_compare(layer, graph, removed, probe)
    finally:
        layer.train() if was_training else layer.eval()
    if not certificate.passed:
        undo(layer)
        raise CertificateError(
            f"the shrunk network's outputs differ by {certificate.max_difference:.3g} from the masked one's "
            f"(they reach {certificate.scale:.3g}); nothing was changed"
        )
    after = attributes_of(layer, graph.without(removed))
    changed = {name: attributes for name, attributes in after.items() if attributes != before[name]}
    return plan.model_copy(update={"model": model, "certificate": certificate, "attributes": changed})


def shrink_and_compare(
    layer: nn.Layer, graph: ChannelGraph, removed: Sequence[int], probe: Sequence[Array]
) -> tuple[Undo, Certificate]:
    """Mask units, then really remove them, and compare the outputs; the layer is left in evaluation mode.

    Units that can't be masked are removed before the comparison begins.

    Returns:
        What restores the layer bit for bit, and the certificate, passed or not.

    Raises:
        CertificateError: the shrunk network doesn't run; the layer is restored.
    """
    forward, inputs = eager_forward(layer), tuple(probe)
    inexact = graph.inexact_units(removed)
    undo = shrink(layer, graph, inexact)
    try:
        rest = graph.without(inexact)
        exact = [unit for unit in removed if unit not in set(inexact)]
        with masked(layer, rest, exact):
            expected = forward(inputs)
        undo = shrink(layer, rest, exact).after(undo)
        certificate = compare(expected, forward(inputs))
    except Exception as error:
        undo(layer)
        raise CertificateError(f"the shrunk network doesn't run ({said_by(error)}); nothing was changed") from error
    names = tuple(group.name for group in graph.groups if set(group.units) & set(inexact))
    return undo, certificate.model_copy(update={"inexact": names})


def compare(expected: Sequence[Array], got: Sequence[Array]) -> Certificate:
    """Compare the outputs of a masked network with those of the shrunk one, over all outputs.

    Raises:
        ValueError: they differ in number or shape, or one of them isn't finite where the other is.
    """
    if [x.shape for x in expected] != [x.shape for x in got]:
        raise ValueError(f"output shapes {[x.shape for x in expected]} became {[x.shape for x in got]}")
    worst = scale = 0.0
    for a, b in zip(expected, got, strict=True):
        worst = max(worst, float(np.abs(a.astype(np.float64) - b).max(initial=0)))
        scale = max(scale, float(np.abs(a).max(initial=0)))
    if not np.isfinite([worst, scale]).all():
        raise ValueError("the outputs aren't finite; the weights hold NaN or infinite values")
    return Certificate(
        max_difference=worst, scale=scale, tolerance=TOLERANCE, batch=len(expected[0]) if expected[0].ndim else 1
    )
