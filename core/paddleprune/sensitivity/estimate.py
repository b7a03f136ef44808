"""A table from one backward pass: what a group's loss would be if the network were linear in its masks.

Masking a unit multiplies its slice of every consumer's weights by m = 0; at m = 1 the training loss L changes by
dL/dm = sum(w * dL/dw) over that slice (Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning",
equation 8, there of the producers' weights). Removing several units changes it by the sum of theirs, to first order;
an entry's estimate is the mean, over small batches, of that sum's size.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import paddle
from paddle import nn

from paddleprune.console import progress
from paddleprune.graph import ChannelGraph
from paddleprune.graph.inputs import map_leaves
from paddleprune.graph.tensors import named_tensors
from paddleprune.interfaces import Array, Loss
from paddleprune.measure.evaluation import Batches, flatten
from paddleprune.sensitivity.evaluators import Units
from paddleprune.sensitivity.measuring import Entry

BATCH = 8
"""Samples whose gradients are added up before their size is taken: of more, they cancel out."""


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
    slopes = _slopes(layer, graph, loss, batches)
    return {(name, ratio): _size(slopes[:, units({name: ratio})]) for name, ratio in entries}


def _size(slopes: Array) -> float:
    return float(np.abs(slopes.sum(axis=1)).mean())


def _slopes(layer: nn.Layer, graph: ChannelGraph, loss: Loss, batches: Batches) -> Array:
    """dL/dm of each unit, for each batch: [batches, units]."""
    tensors, rows = named_tensors(layer), []
    size = 1 + max(int(axis.units.max(initial=0)) for axis in graph.axes)
    quiet = np.fromiter(graph.quiet, np.int64)
    layer.eval()
    with progress("estimate", len(batches)) as bar:
        for inputs, targets in batches:
            layer.clear_gradients()
            outputs = flatten(layer(*map_leaves(paddle.to_tensor, list(inputs))))
            loss(outputs, map_leaves(paddle.to_tensor, targets)).backward()
            row = np.zeros(size)
            for axis in graph.axes:
                tensor = tensors[axis.parameter]
                if axis.role != "index" and tensor.grad is not None:
                    product = np.moveaxis((tensor * tensor.grad).numpy().astype(np.float64), axis.axis, 0)
                    counts = axis.role == "read" or np.isin(axis.units, quiet)
                    np.add.at(row, axis.units, product.reshape(len(product), -1).sum(axis=1) * counts)
            rows.append(row)
            bar.advance()
    layer.clear_gradients()
    return np.array(rows)
