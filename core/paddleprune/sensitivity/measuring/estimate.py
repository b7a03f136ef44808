"""A table from one backward pass: what a group's loss would be if the network were linear in its masks.

Masking a unit multiplies its slice of every consumer's weights by m = 0; at m = 1 the training loss L changes by
dL/dm = sum(w * dL/dw) over that slice (Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning",
equation 8, there of the producers' weights). Removing several units changes it by the sum of theirs, to first order;
an entry's estimate is the mean, over small batches, of that sum's size.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from paddle import nn

from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Array, Loss
from paddleprune.sensitivity.criteria.gradients import Batches, unit_sums
from paddleprune.sensitivity.masked.evaluators import Units
from paddleprune.sensitivity.measuring.measurer import Entry


def estimate(
    layer: nn.Layer,
    graph: ChannelGraph,
    loss: Loss,
    batches: Batches,
    entries: Iterable[Entry],
    units: Units,
) -> dict[Entry, float]:
    """How much removing shares of groups would change the training loss, to first order.

    Args:
        layer: the dense network; its gradients are cleared.
        graph: its channel graph.
        loss: what training minimises.
        batches: the evaluation data; gradients are added up over a batch.
        entries: groups and shares of them.
        units: the units that shares of groups stand for.
    """
    slopes = unit_sums(layer, graph, loss, batches, np.multiply)
    return {(name, ratio): _size(slopes[:, units({name: ratio})]) for name, ratio in entries}


def _size(slopes: Array) -> float:
    return float(np.abs(slopes.sum(axis=1)).mean())
