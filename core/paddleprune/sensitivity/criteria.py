"""Which units of a group matter least, by their weights alone.

L1 and L2: the mean magnitude of a unit's filters (Li et al. 2017, "Pruning Filters for Efficient ConvNets").
FPGM: the distance of a filter to all others of its layer, so that redundant filters go first
(He et al. 2019, "Filter Pruning via Geometric Median").
Where several layers produce a group's channels, each layer's scores are divided by their mean and the
layers' scores are averaged, so that every layer has the same say whatever its scale.
A function of the user's own takes the place of any of them: `paddleprune.interfaces.Scorer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
from paddle import Tensor, nn

from paddleprune.errors import ConfigError
from paddleprune.graph import ChannelGraph, Group
from paddleprune.graph.tensors import named_tensors
from paddleprune.interfaces import Array, Scorer
from paddleprune.settings import CRITERIA, Criterion
from paddleprune.validation import choose_from

Rankings: TypeAlias = Mapping[str, list[int]]
"""Group name -> indices of its units in the order in which they go: the least important first.

Units that must stay once those before them are gone, so that every axis keeps a channel, are left out.
"""

_NO_NAMES = ("partial", *CRITERIA)
"""Names of functions that say nothing, or something else."""
_BLOCK = 2**21
"""Weights that are scored at a time."""


def criterion_name(criterion: Criterion | Scorer) -> str:
    """What tables and plans call a criterion: its name, or that of the function.

    Raises:
        ConfigError: no criterion has that name, or the function has none of its own.
    """
    if not callable(criterion):
        if criterion not in CRITERIA:
            way_out = choose_from(str(criterion), CRITERIA)
            raise ConfigError(f"unknown criterion {criterion!r}{way_out}, or give a function")
        return criterion
    name = str(getattr(criterion, "__name__", type(criterion).__name__))
    if not name.isidentifier() or name in _NO_NAMES:
        raise ConfigError(f"the criterion {criterion!r} has no name by which a table could know it; define it with def")
    return name


def criterion_of(recorded: str, given: Criterion | Scorer | None = None) -> Criterion | Scorer:
    """What ranked the units of a table.

    Args:
        recorded: what the table calls it.
        given: what the user says; needed where it is a function of the user's own.

    Raises:
        ConfigError: the user says something else, or nothing of a function.
    """
    if given is not None:
        if criterion_name(given) != recorded:
            what = f"{recorded!r}, not {criterion_name(given)!r}"
            raise ConfigError(f"the table was measured with the criterion {what}; leave criterion out")
        return given
    built_in = next((name for name in CRITERIA if name == recorded), None)
    if built_in is None:
        raise ConfigError(
            f"the table was measured with the criterion {recorded!r}, which isn't built in; "
            f"give the function: criterion={recorded}"
        )
    return built_in


def rank(layer: nn.Layer, graph: ChannelGraph, criterion: Criterion | Scorer) -> dict[str, list[int]]:
    """The order in which the units of every prunable group go; ties keep the channels' order.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        criterion: what makes a unit matter.

    Raises:
        ConfigError: a criterion of the user's own doesn't give a number for each filter.
    """
    tensors, score = named_tensors(layer), criterion if callable(criterion) else SCORES[criterion]
    return {group.name: _rank_group(graph, group, tensors, score) for group in graph.prunable}


def _rank_group(graph: ChannelGraph, group: Group, tensors: Mapping[str, Tensor], score: Scorer) -> list[int]:
    index = {unit: i for i, unit in enumerate(group.units)}
    total = np.zeros(len(index))
    for axis in graph.axes_of[group.name]:
        if axis.role != "own":
            continue
        filters = np.moveaxis(tensors[axis.parameter].numpy(), axis.axis, 0)
        scores = _scored(score, axis.parameter, filters.reshape(len(filters), -1))
        scores = scores / max(float(np.abs(scores).mean()), 1e-30)
        places = [(index[unit], i) for i, unit in enumerate(axis.units.tolist()) if unit in index]
        mine, theirs = np.array([p[0] for p in places]), np.array([p[1] for p in places])
        counts = np.bincount(mine, minlength=len(total))
        total += np.bincount(mine, scores[theirs], minlength=len(total)) / np.maximum(counts, 1)
    return [index[unit] for unit in group.removable(group.units[i] for i in np.argsort(total, kind="stable"))]


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


SCORES: Mapping[Criterion, Scorer] = {"l1": _l1, "l2": _l2, "fpgm": _fpgm}
"""The criteria that are built in."""
