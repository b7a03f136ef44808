"""Repairs of networks that were cut at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import eager_forward
from paddleprune.pruning import shrink
from paddleprune.pruning.surgery import snapshot
from paddleprune.repair import Cut, order_units, record, repair


def check_repair(
    layer: nn.Layer, graph: ChannelGraph, gone: Sequence[int], samples: tuple[Any, ...], fresh: tuple[Any, ...] | None
) -> None:
    """Cut units, repair what is left, and compare with the dense network; then the layer is as it was.

    Args:
        layer: the dense network, in evaluation mode.
        graph: its channel graph.
        gone: units that go.
        samples: inputs that the repair is made from.
        fresh: other inputs, on which the repaired outputs must be nearer to the dense ones than the cut ones are;
            None where only has to be shown that a repair runs.

    Raises:
        AssertionError: the repaired outputs aren't numbers, or aren't nearer.
    """
    forward, restore = eager_forward(layer), snapshot(layer, graph)
    judged = samples if fresh is None else fresh
    dense, seen = forward(judged), record(layer, samples)
    try:
        shrink(layer, graph, gone)
        before = _lacking(dense, forward(judged))
        done = repair(layer, seen, Cut.of(graph, graph.keeps(gone)))
        after = _lacking(dense, forward(judged))
    finally:
        restore(layer)
    assert np.isfinite(after), "the repaired network's outputs aren't numbers"
    if fresh is not None:
        left = f"; left as cut: {done.left}" if done.left else ""
        assert after < before or before == 0, (
            f"a repair should bring the outputs nearer to the dense network's, but what they lack went from "
            f"{before:.3g} to {after:.3g} of their size{left}"
        )


def check_order(layer: nn.Layer, graph: ChannelGraph, samples: tuple[Any, ...]) -> None:
    """Put the units in order: every one is in it once, unless its group stays whole, and every layer keeps a channel.

    Raises:
        AssertionError: they aren't.
    """
    found = order_units(layer, graph, record(layer, samples))
    assert len(set(found.units)) == len(found.units), "a unit is in the order twice"
    gone = set(found.units)
    for group in graph.prunable:
        mine = [unit for unit in found.units if unit in set(group.units)]
        assert group.removable(mine) == mine, f"the order leaves {group.name} without channels"
        assert gone.isdisjoint(group.units) or group.name not in found.unscored, f"{group.name} was to stay whole"


def _lacking(dense: Sequence[Array], got: Sequence[Array]) -> float:
    """The square of what is missing, as a share of the outputs' own, over all floating-point outputs."""
    pairs = [(a.astype(np.float64), b) for a, b in zip(dense, got, strict=True) if a.dtype.kind == "f"]
    return float(sum(np.square(a - b).sum() for a, b in pairs) / max(sum(np.square(a).sum() for a, _ in pairs), 1e-30))
