"""Widths that a network's forward hard-codes: found before anything is cut, and named.

All prunable groups are shrunk together, by different shares, and the network runs on a probe. If it fails or
its outputs aren't the masked network's, halves of the groups are tried until the culprits stand alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paddle import nn

from paddleprune.errors import CertificateError, said_by
from paddleprune.graph import ChannelGraph, Group, random_inputs
from paddleprune.pruning.certificate import shrink_and_compare

_ROUNDING = 1e-2
"""Random images may amplify rounding beyond a certificate's tolerance; a wrong width changes outputs by far more."""


def protect_hard_coded(layer: nn.Layer, graph: ChannelGraph) -> ChannelGraph:
    """Protect the groups that the network doesn't survive the loss of, each with what Paddle said.

    Args:
        layer: the dense network that the graph was built from; left as it was.
        graph: its channel graph.

    Returns:
        The graph, with more groups protected or the same.
    """
    probe = random_inputs(graph.inputs)
    was_training = layer.training
    try:
        return graph.protecting(_culprits(layer, graph, graph.prunable, probe))
    finally:
        layer.train() if was_training else layer.eval()


def _culprits(layer: nn.Layer, graph: ChannelGraph, groups: Sequence[Group], probe: tuple[Any, ...]) -> dict[str, str]:
    problem = _problem(layer, graph, groups, probe)
    if problem is None:
        return {}
    if len(groups) == 1:
        return {groups[0].name: f"the forward hard-codes its width ({problem})"}
    middle = len(groups) // 2
    halves = (groups[:middle], groups[middle:])
    found = {name: why for half in halves for name, why in _culprits(layer, graph, half, probe).items()}
    if found:
        return found
    return {group.name: f"the forward relates its width to another group's ({problem})" for group in groups}


def _problem(layer: nn.Layer, graph: ChannelGraph, groups: Sequence[Group], probe: tuple[Any, ...]) -> str | None:
    """What goes wrong when each group loses a different share of its units; None if nothing does."""
    gone = [unit for i, group in enumerate(groups) for unit in group.units[: max(1, group.count(0.2 + 0.1 * (i % 5)))]]
    if not gone:
        return None
    try:
        undo, certificate = shrink_and_compare(layer, graph, gone, probe)
    except CertificateError as error:
        return said_by(error.__cause__ or error)
    undo(layer)
    same = certificate.max_difference <= _ROUNDING * certificate.scale
    return None if same else "its outputs change"
