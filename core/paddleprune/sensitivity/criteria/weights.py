"""Which units of a group matter least, by their weights alone.

L1 and L2: the mean magnitude of a unit's filters (Li et al. 2017, "Pruning Filters for Efficient ConvNets").
FPGM: the distance of a filter to all others of its layer, so that redundant filters go first
(He et al. 2019, "Filter Pruning via Geometric Median").
bn_scale: the size of the scales by which batch norms multiply the unit (Liu et al. 2017, "Learning Efficient
Convolutional Networks through Network Slimming"); groups that no batch norm follows are ranked by L1.
LAMP: the square of L2 as a share of the sum over those units of the group that are no smaller, which makes groups
comparable (Lee et al. 2021, "Layer-adaptive Sparsity for the Magnitude-based Pruning", equation 2, for whole units).
Where several layers produce a group's channels, each layer's scores are divided by their mean and the
layers' scores are averaged, so that every layer has the same say whatever its scale.
A function of the user's own takes the place of any of them: `paddleprune.interfaces.Scorer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from paddle import Tensor, nn

from paddleprune.console import listed, say
from paddleprune.errors import ConfigError
from paddleprune.graph import ChannelGraph, Group
from paddleprune.graph.channels import Axis
from paddleprune.graph.tensors import named_tensors
from paddleprune.interfaces import Array, Scorer
from paddleprune.sensitivity.criteria.importance import Importance, criterion_name
from paddleprune.settings import DATA_CRITERIA, Criterion

Rankings: TypeAlias = Mapping[str, list[int]]
"""Group name -> indices of its units in the order in which they go: the least important first.

Units that must stay once those before them are gone, so that every axis keeps a channel, are left out.
"""

_BLOCK = 2**21
"""Weights that are scored at a time."""
_NORMS = (nn.BatchNorm, nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D, nn.SyncBatchNorm)


def rank(layer: nn.Layer, graph: ChannelGraph, criterion: Criterion | Scorer | Importance) -> dict[str, list[int]]:
    """The order in which the units of every prunable group go; ties keep the channels' order.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        criterion: what makes a unit matter.

    Raises:
        ConfigError: a criterion of the user's own doesn't give a number for each filter.
    """
    return weigh(layer, graph, criterion).rankings(graph)


def weigh(layer: nn.Layer, graph: ChannelGraph, criterion: Criterion | Scorer | Importance) -> Importance:
    """How much the units of every prunable group matter, by the network's weights, unless that is known.

    Args and errors are those of `rank`.
    """
    if isinstance(criterion, Importance):
        return criterion
    name, tensors = criterion_name(criterion), named_tensors(layer)
    if name in DATA_CRITERIA:
        raise ConfigError(
            f"{name} needs labelled samples and a loss: give criterion=paddleprune.score_units(graph, {name!r}, "
            "inputs, labels, loss), or a criterion that needs none, such as 'lamp' or 'l1'"
        )
    score = criterion if callable(criterion) else SCORES[criterion]
    axes = {g.name: [axis for axis in graph.axes_of[g.name] if axis.role == "own"] for g in graph.prunable}
    if name == "bn_scale":
        axes |= _scales(layer, graph)
    found = {group.name: _scores(group, axes[group.name], tensors, score) for group in graph.prunable}
    if name == "lamp":
        found = {group: _shares(squares) for group, squares in found.items()}
    return Importance(name, {group: tuple(scores.tolist()) for group, scores in found.items()})


def _scores(group: Group, axes: Sequence[Axis], tensors: Mapping[str, Tensor], score: Scorer) -> Array:
    """A score for each of a group's units, from what lies along some axes: [units]."""
    index = {unit: i for i, unit in enumerate(group.units)}
    total = np.zeros(len(index))
    for axis in axes:
        filters = np.moveaxis(tensors[axis.parameter].numpy(), axis.axis, 0)
        scores = _scored(score, axis.parameter, filters.reshape(len(filters), -1))
        scores = scores / max(float(np.abs(scores).mean()), 1e-30)
        places = [(index[unit], i) for i, unit in enumerate(axis.units.tolist()) if unit in index]
        mine, theirs = np.array([p[0] for p in places]), np.array([p[1] for p in places])
        counts = np.bincount(mine, minlength=len(total))
        total += np.bincount(mine, scores[theirs], minlength=len(total)) / np.maximum(counts, 1)
    return total


def _scales(layer: nn.Layer, graph: ChannelGraph) -> dict[str, list[Axis]]:
    """Group name -> the scales of the batch norms that follow all of its units; without those that none follow.

    Raises:
        ConfigError: no batch norm follows any group.
    """
    norms = {f"{name}.weight" for name, sub in layer.named_sublayers() if isinstance(sub, _NORMS)}
    found: dict[str, list[Axis]] = {}
    for group in graph.prunable:
        axes = [axis for axis in graph.axes_of[group.name] if axis.parameter in norms]
        if axes and np.isin(group.units, np.concatenate([axis.units for axis in axes])).all():
            found[group.name] = axes
    others = [group.name for group in graph.prunable if group.name not in found]
    if not found:
        raise ConfigError("bn_scale reads the scales of batch norms, but none follows a group; choose lamp or l1")
    if others:
        say(f"ranked by l1, since no batch norm follows them: {listed(others)}")
    return found


def _shares(squares: Array) -> Array:
    """Each score as a share of the sum of those that are no smaller."""
    order = np.argsort(squares, kind="stable")
    sums = np.cumsum(squares[order][::-1])[::-1]
    found = np.zeros(len(squares))
    found[order] = squares[order] / np.maximum(sums, 1e-30)
    return found


def _scored(score: Scorer, parameter: str, filters: Array) -> Array:
    given = score(parameter, filters)
    try:
        scores = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        scores = np.array(np.nan)
    if scores.shape != (len(filters),) or not np.isfinite(scores).all():
        what = f"{scores.shape} with NaN or infinite values" if scores.ndim else repr(given)
        raise ConfigError(
            f"the criterion {getattr(score, '__name__', type(score).__name__)} gave {what} for {parameter}; "
            f"it must give {len(filters)} finite numbers, one for each filter"
        )
    return scores


def _l1(parameter: str, filters: Array) -> Array:
    return np.concatenate([np.abs(rows).mean(axis=1) for rows in _blocks(filters, 0)])


def _l2(parameter: str, filters: Array) -> Array:
    return np.concatenate([np.sqrt(np.square(rows).mean(axis=1)) for rows in _blocks(filters, 0)])


def _square(parameter: str, filters: Array) -> Array:
    return np.square(_l2(parameter, filters))


def _fpgm(parameter: str, filters: Array) -> Array:
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


SCORES: Mapping[str, Scorer] = {"l1": _l1, "l2": _l2, "fpgm": _fpgm, "bn_scale": _l1, "lamp": _square}
"""What the built-in criteria make of filters, or of scales."""
