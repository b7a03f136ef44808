"""Sensitivities that another program measured, for this network: which of its names means which group."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from paddleprune.errors import TableError
from paddleprune.graph import ChannelGraph
from paddleprune.sensitivity.table.file import Identity, Point, SensitivityTable
from paddleprune.sensitivity.table.unpickle import Losses
from paddleprune.specs import Contract

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


class Match(Contract):
    """A parameter of the file, and the group whose filters it holds.

    Attributes:
        group: the group.
        by: what they have in common: the name; the shape, and the place among those of that shape; or only the
            place, counted by the numbers in the names.
    """

    group: str
    by: Literal["name", "shape and order", "order"]


class ImportedTable(Contract):
    """A table out of another program's file.

    Attributes:
        table: what could be matched; its baseline is 1, since such files hold losses only.
        matches: parameter of the file -> group.
        unmatched: parameters of the file that belong to no group, or to none for certain.
        unmeasured: prunable groups that the file says nothing of; they stay whole.
    """

    table: SensitivityTable
    matches: dict[str, Match]
    unmatched: tuple[str, ...]
    unmeasured: tuple[str, ...]


def table_from(
    losses: Losses, graph: ChannelGraph, *, model: str, source: str, criterion: str, shapes: Shapes | None = None
) -> ImportedTable:
    """Give another program's losses to the groups of a network.

    Args:
        losses: parameter -> ratio -> loss.
        graph: the network's channel graph.
        model: hash of the network's weights.
        source: where the losses come from, for the table's identity.
        criterion: what ranked the filters when they were measured.
        shapes: shapes of that program's parameters, where known.

    Raises:
        TableError: no parameter matches.
    """
    matches = _match(list(losses), graph, shapes or {})
    unmatched = tuple(name for name in losses if name not in matches)
    if not matches:
        raise TableError(
            f"none of the {len(losses)} parameters of {source} ({', '.join(list(losses)[:3])}, …) matches a group "
            "of this network; give their shapes, as prune.yml of PaddleX holds them, or analyze the model"
        )
    identity = Identity(
        model=model,
        data="",
        samples=0,
        metric="share of the baseline metric",
        higher_is_better=True,
        criterion=criterion,
        imported=source,
    )
    groups = {}
    for group in graph.prunable:
        curves = [losses[name] for name, match in matches.items() if match.group == group.name]
        if curves:
            groups[group.name] = _points(curves)
    return ImportedTable(
        table=SensitivityTable(identity=identity, baseline=1.0, groups=groups),
        matches=matches,
        unmatched=unmatched,
        unmeasured=tuple(group.name for group in graph.prunable if group.name not in groups),
    )


def _points(curves: Sequence[Mapping[float, float]]) -> tuple[Point, ...]:
    """One curve for a group; where several of its convolutions were measured, the worst loss counts."""
    ratios = sorted({ratio for curve in curves for ratio in curve})
    worst = {ratio: max(curve[ratio] for curve in curves if ratio in curve) for ratio in ratios}
    return tuple(Point(ratio=ratio, metric=1 - loss, loss=loss) for ratio, loss in worst.items())


def _match(names: Sequence[str], graph: ChannelGraph, shapes: Shapes) -> dict[str, Match]:
    """Structured names first; then by shape and order, where shapes are known; then by order alone."""
    prunable = {group.name for group in graph.prunable}
    owner = {
        axis.parameter: group.name for group in graph.groups for axis in graph.axes_of[group.name] if axis.role == "own"
    }
    known = {**{name.removesuffix(".weight"): group for name, group in owner.items()}, **owner}
    found = {name: Match(group=known[name], by="name") for name in names if known.get(name) in prunable}
    rest = sorted((name for name in names if name not in known), key=_numbers)
    if shapes:
        filters = {name: shape for name, shape in graph.shapes.items() if len(shape) == 4}
        foreign = sorted((name for name in shapes if len(shapes[name]) == 4), key=_numbers)
        pairs = _aligned({name: shapes[name] for name in foreign}, filters)
        pairs = {name: owner.get(pairs[name], "") for name in rest if name in pairs}
        by: Literal["shape and order", "order"] = "shape and order"
    else:
        pairs, by = dict(zip(rest, _same_number(len(rest), owner, prunable, graph), strict=False)), "order"
    return found | {name: Match(group=group, by=by) for name, group in pairs.items() if group in prunable}


def _same_number(count: int, owner: Mapping[str, str], prunable: Iterable[str], graph: ChannelGraph) -> list[str]:
    """The groups of the producers in order, or the groups in order, if there are just as many; else nothing."""
    producers = [group for name, group in owner.items() if len(graph.shapes[name]) == 4 and group in set(prunable)]
    every = [group for name, group in owner.items() if len(graph.shapes[name]) == 4]
    groups = [group.name for group in graph.prunable]
    return next((candidates for candidates in (groups, producers, every) if len(candidates) == count), [])


def _aligned(ours: Mapping[str, Hashable], theirs: Mapping[str, Hashable]) -> dict[str, str]:
    """Names of the same value, in order, wherever both sides have as many of that value."""
    left, right = _by_value(ours), _by_value(theirs)
    pairs = {
        value: zip(names, right[value], strict=True)
        for value, names in left.items()
        if len(right.get(value, ())) == len(names)
    }
    return {mine: other for several in pairs.values() for mine, other in several}


def _by_value(values: Mapping[str, Hashable]) -> dict[Hashable, list[str]]:
    found: dict[Hashable, list[str]] = defaultdict(list)
    for name, value in values.items():
        found[value].append(name)
    return found


def _numbers(name: str) -> list[tuple[int, str]]:
    """A key that sorts conv2d_2 before conv2d_10."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if number % 2 else (-1, part) for number, part in enumerate(parts)]
