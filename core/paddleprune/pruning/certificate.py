"""The exactness contract: the masked dense model and the shrunk one give the same outputs."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from paddle import nn

from paddleprune.errors import CertificateError
from paddleprune.graph import ChannelGraph, masked
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import eager_forward
from paddleprune.pruning.plan import Certificate, Plan
from paddleprune.pruning.surgery import Undo, convolution_groups, shrink

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
    was_training, groups = layer.training, convolution_groups(layer)
    try:
        undo, certificate = shrink_and_compare(layer, graph, plan.removed(graph), probe)
    finally:
        layer.train() if was_training else layer.eval()
    if not certificate.passed:
        undo(layer)
        raise CertificateError(
            f"the shrunk network's outputs differ by {certificate.max_difference:.3g} from the masked one's "
            f"(they reach {certificate.scale:.3g}); nothing was changed"
        )
    changed = {name: n for name, n in convolution_groups(layer).items() if n != groups[name]}
    return plan.model_copy(update={"certificate": certificate, "convolution_groups": changed})


def shrink_and_compare(
    layer: nn.Layer, graph: ChannelGraph, removed: Sequence[int], probe: Sequence[Array]
) -> tuple[Undo, Certificate]:
    """Mask units, then really remove them, and compare the outputs; the layer is left in evaluation mode.

    Returns:
        What restores the layer bit for bit, and the certificate, passed or not.

    Raises:
        CertificateError: the shrunk network doesn't run; the layer is restored.
    """
    forward, inputs = eager_forward(layer), tuple(probe)
    with masked(layer, graph, removed):
        expected = forward(inputs)
    undo = shrink(layer, graph, removed)
    try:
        return undo, compare(expected, forward(inputs))
    except Exception as error:
        undo(layer)
        raise CertificateError(f"the shrunk network doesn't run ({last_line(error)}); nothing was changed") from error


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
    return Certificate(max_difference=worst, scale=scale, tolerance=TOLERANCE, batch=len(expected[0]))


def last_line(error: BaseException) -> str:
    """What an error of Paddle says, without its stack and its own source lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("---")]
    text = lines[-1] if lines else type(error).__name__
    return re.sub(r"\s*\(at /paddle/.*\)|\[Hint: |\]$|^\(\w+\) ", "", text).rstrip(".] ")
