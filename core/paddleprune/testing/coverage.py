"""Which filters of a network can be removed: all but those that feed its outputs, or it is said why not."""

from __future__ import annotations

from dataclasses import dataclass

from paddleprune.graph import ChannelGraph
from paddleprune.graph.atoms import FIXED

FEEDS_OUTPUT = "feeds an output of the model"


@dataclass(frozen=True)
class Coverage:
    """How much of a network can be pruned.

    Attributes:
        filters: rows of all producers (convolutions, linear layers, …) that feed no output.
        prunable: how many of them are in a group that can be pruned.
        missed: group -> why filters of it that feed no output can't be removed.
    """

    filters: int
    prunable: int
    missed: dict[str, str]


def coverage(graph: ChannelGraph) -> Coverage:
    """Count the filters of a graph.

    Filters that stay, in a group of which others can go, count as missed even if they feed an output.
    """
    missed, total = {}, 0
    for group, filters in zip(graph.groups, _filters(graph), strict=True):
        if group.protected == FEEDS_OUTPUT or filters == 1:  # without a lone filter nothing would be left
            continue
        total += filters
        if group.protected:
            missed[group.name] = group.protected
        elif filters > graph.filters([group]):
            missed[group.name] = f"{group.width - len(group.units)} of its {group.width} channels can't be removed"
    return Coverage(total, graph.filters(graph.prunable), missed)


def _filters(graph: ChannelGraph) -> list[int]:
    """How many filters make each group's channels, in the order of the groups; those that stay are counted too.

    A protected group has no units, so groups are made again from the producers that share any, in their order.
    """
    group_of: dict[int, int] = {}
    filters: dict[int, int] = {}
    for index, axis in enumerate(axis for axis in graph.axes if axis.role == "own"):
        units = set(axis.units.tolist()) - {FIXED}
        met = sorted({group_of[unit] for unit in units & group_of.keys()})
        home = met[0] if met else index
        filters[home] = axis.units.size + sum(filters.pop(group) for group in met)
        group_of.update(dict.fromkeys(units, home))
        if len(met) > 1:
            group_of.update({unit: home for unit, group in group_of.items() if group in met})
    return [filters[home] for home in sorted(filters)]
