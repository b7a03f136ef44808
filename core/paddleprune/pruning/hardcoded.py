"""Widths that a network's forward hard-codes: found before anything is cut, and named.

All prunable groups are shrunk together, by different shares, and the network runs on a probe. If it fails or
its outputs aren't the masked network's, halves of the groups are tried until the culprits stand alone. Where an
attribute of the network's own layers turns out to be the width (`x.split([self.c, self.c])`), it is kept true.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.errors import CertificateError, GraphError, said_by
from paddleprune.graph import ChannelGraph, Group, random_inputs
from paddleprune.graph.channels import Width
from paddleprune.graph.inputs import leaves
from paddleprune.measure.evaluation import eager_forward
from paddleprune.pruning.certificate import shrink_and_compare

_ROUNDING = 1e-2
"""Random images may amplify rounding beyond a certificate's tolerance; a wrong width changes outputs by far more."""


def protect_hard_coded(layer: nn.Layer, graph: ChannelGraph, probe: tuple[Any, ...] | None = None) -> ChannelGraph:
    """Protect the groups that the network doesn't survive the loss of, each with what Paddle said.

    Args:
        layer: the dense network that the graph was built from; left as it was.
        graph: its channel graph.
        probe: inputs of the layer to try it on; random ones by default.

    Returns:
        The graph, with more groups protected or the same, and with the attributes that count a group's channels.

    Raises:
        GraphError: the dense layer itself doesn't run on the probe.
    """
    probe = random_inputs(graph.inputs) if probe is None else probe
    was_training = layer.training
    try:
        _check_runs(layer, probe)
        culprits = _culprits(layer, graph, graph.prunable, probe)
        counted = _with_counting(layer, graph, [graph[name] for name in culprits], probe)
        if counted is not graph:
            graph, culprits = counted, _culprits(layer, counted, counted.prunable, probe)
        return graph.protecting(culprits)
    finally:
        layer.train() if was_training else layer.eval()


def _check_runs(layer: nn.Layer, probe: tuple[Any, ...]) -> None:
    try:
        eager_forward(layer)(probe)
    except Exception as error:
        shapes = [leaf.shape for leaf in leaves(list(probe))]
        raise GraphError(
            f"{type(layer).__name__} doesn't run on inputs of the shapes {shapes}: {said_by(error)}"
        ) from error


def _with_counting(
    layer: nn.Layer, graph: ChannelGraph, culprits: Sequence[Group], probe: tuple[Any, ...]
) -> ChannelGraph:
    """The graph with the attributes that let culprits go, one for each at most."""
    for group in culprits:
        for width in _candidates(layer, graph, group):
            trial = replace(graph, widths=(*graph.widths, width))
            if _problem(layer, trial, [group], probe) is None:
                graph = trial
                break
    return graph


def _candidates(layer: nn.Layer, graph: ChannelGraph, group: Group) -> Iterator[Width]:
    """Numbers that the network's own layers hold, and that are a multiple of a group's units.

    They are those of the layers around the parameters that the group's channels touch, the nearest ones first.
    """
    if len(group.units) < group.width:
        return
    known = {(width.layer, width.attribute) for width in graph.widths}
    sublayers = dict(layer.named_sublayers(include_self=True))
    around = {above for axis in graph.axes_of[group.name] for above in _around(axis.parameter)}
    for name in sorted(around, key=len, reverse=True):
        if type(sublayers[name]).__module__.startswith("paddle."):
            continue
        for attribute, value in vars(sublayers[name]).items():
            if type(value) is int and value > 0 and value % group.size == 0 and (name, attribute) not in known:
                yield Width(name, attribute, np.repeat(np.array(group.units), value // group.size))


def _around(parameter: str) -> Iterator[str]:
    """The names of all layers that hold a parameter, directly or not."""
    parts = parameter.split(".")[:-1]
    return (".".join(parts[:count]) for count in range(len(parts) + 1))


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
    counts = (max(1, group.count(0.2 + 0.1 * (i % 5))) for i, group in enumerate(groups))
    gone = [unit for group, count in zip(groups, counts, strict=False) for unit in group.removable()[:count]]
    if not gone:
        return None
    try:
        undo, certificate = shrink_and_compare(layer, graph, gone, probe)
    except CertificateError as error:
        return said_by(error.__cause__ or error)
    undo(layer)
    same = certificate.max_difference <= _ROUNDING * certificate.scale
    return None if same else "its outputs change"
