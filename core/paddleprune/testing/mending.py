"""Repairs of networks that were cut at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.graph import ChannelGraph
from paddleprune.measure.evaluation import eager_forward
from paddleprune.pruning import shrink
from paddleprune.pruning.surgery import snapshot
from paddleprune.repair import Cut, record, repair
from paddleprune.solver import Ceiling, Costs, order_units


def check_repair(layer: nn.Layer, graph: ChannelGraph, gone: Sequence[int], samples: tuple[Any, ...]) -> None:
    """Cut units and repair what is left; then the layer is as it was.

    Args:
        layer: the dense network, in evaluation mode.
        graph: its channel graph.
        gone: units that go.
        samples: inputs that the repair is made from.

    Raises:
        AssertionError: the repaired outputs aren't numbers, or a refit was kept that made things worse.
    """
    forward, restore, seen = eager_forward(layer), snapshot(layer, graph), record(layer, samples)
    try:
        shrink(layer, graph, gone)
        done = repair(layer, seen, Cut.of(graph, graph.keeps(gone)))
        outputs = forward(samples)
    finally:
        restore(layer)
    assert all(np.isfinite(a).all() for a in outputs if a.dtype.kind == "f"), "the repaired outputs aren't numbers"
    worse = [name for name, found in done.layers.items() if not found.after <= found.before]
    assert not worse, f"a repair made these layers worse and kept that: {worse}"


def check_order(layer: nn.Layer, graph: ChannelGraph, samples: tuple[Any, ...]) -> None:
    """Put the units in order: every one is in it once, unless its group stays whole, and every layer keeps a channel.

    Raises:
        AssertionError: they aren't.
    """
    found = order_units(layer, graph, record(layer, samples), Costs(graph), Ceiling({}))
    assert len(set(found.units)) == len(found.units), "a unit is in the order twice"
    gone = set(found.units)
    for group in graph.prunable:
        mine = [unit for unit in found.units if unit in set(group.units)]
        assert group.removable(mine) == mine, f"the order leaves {group.name} without channels"
        assert gone.isdisjoint(group.units) or group.name not in found.unscored, f"{group.name} was to stay whole"
