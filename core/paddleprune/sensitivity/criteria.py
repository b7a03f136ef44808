"""Which units of a group matter least, by their weights alone.

L1 and L2: the mean magnitude of a unit's filters (Li et al. 2017, "Pruning Filters for Efficient ConvNets").
FPGM: the distance of a filter to all others of its layer, so that redundant filters go first
(He et al. 2019, "Filter Pruning via Geometric Median").
Where several layers produce a group's channels, each layer's scores are divided by their mean and the
layers' scores are averaged, so that every layer has the same say whatever its scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
from paddle import Tensor, nn

from paddleprune.graph import ChannelGraph, Group
from paddleprune.graph.tensors import named_tensors
from paddleprune.interfaces import Array
from paddleprune.settings import Criterion

Rankings: TypeAlias = Mapping[str, list[int]]
"""Group name -> indices of its units in the order in which they go: the least important first.

Units that must stay once those before them are gone, so that every axis keeps a channel, are left out.
"""

_BLOCK = 2**21
"""Weights that are scored at a time."""


def rank(layer: nn.Layer, graph: ChannelGraph, criterion: Criterion) -> dict[str, list[int]]:
    """The order in which the units of every prunable group go; ties keep the channels' order.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        criterion: what makes a unit matter.
    """
    tensors = named_tensors(layer)
    return {group.name: _rank_group(graph, group, tensors, SCORES[criterion]) for group in graph.prunable}


def _rank_group(
    graph: ChannelGraph, group: Group, tensors: Mapping[str, Tensor], score: Callable[[Array], Array]
) -> list[int]:
    index = {unit: i for i, unit in enumerate(group.units)}
    total = np.zeros(len(index))
    for axis in graph.axes_of[group.name]:
        if axis.role != "own":
            continue
        filters = np.moveaxis(tensors[axis.parameter].numpy(), axis.axis, 0)
        scores = score(filters.reshape(len(filters), -1))
        scores = scores / max(float(scores.mean()), 1e-30)
        places = [(index[unit], i) for i, unit in enumerate(axis.units.tolist()) if unit in index]
        mine, theirs = np.array([p[0] for p in places]), np.array([p[1] for p in places])
        counts = np.bincount(mine, minlength=len(total))
        total += np.bincount(mine, scores[theirs], minlength=len(total)) / np.maximum(counts, 1)
    return [index[unit] for unit in group.removable(group.units[i] for i in np.argsort(total, kind="stable"))]


def _l1(filters: Array) -> Array:
    return np.concatenate([np.abs(rows).mean(axis=1) for rows in _blocks(filters, 0)])


def _l2(filters: Array) -> Array:
    return np.concatenate([np.sqrt(np.square(rows).mean(axis=1)) for rows in _blocks(filters, 0)])


def _fpgm(filters: Array) -> Array:
    products = np.zeros((len(filters), len(filters)))
    for columns in _blocks(filters, 1):
        products += columns @ columns.T
    squares = products.diagonal()
    distances = squares[:, None] + squares[None, :] - 2 * products
    return np.asarray(np.sqrt(np.maximum(distances, 0)).sum(axis=1))


def _blocks(filters: Array, axis: int) -> Iterator[Array]:
    """Rows or columns of a matrix, some at a time, in double precision: all of a large layer's take much memory."""
    for block in np.array_split(filters, -(-filters.size // _BLOCK), axis):
        yield block.astype(np.float64)


SCORES: Mapping[Criterion, Callable[[Array], Array]] = {"l1": _l1, "l2": _l2, "fpgm": _fpgm}
"""Each criterion's score of the rows of [filters, weights a filter]; a higher one matters more."""
