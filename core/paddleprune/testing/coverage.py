"""Which filters of a network can be removed: all but those that feed its outputs, or it is said why not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from paddleprune.graph import ChannelGraph, Group
from paddleprune.graph.build import FEEDS_OUTPUT


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
    for group in graph.groups:
        filters = _filters(graph, group)
        if group.protected in FEEDS_OUTPUT or filters == 1:  # without a lone filter nothing would be left
            continue
        total += filters
        if group.protected:
            missed[group.name] = group.protected
        elif filters > graph.filters([group]):
            missed[group.name] = (
                f"{group.width - len(group.units)} of its {group.width} channels can't be removed: {group.why_stay}"
            )
    return Coverage(total, graph.filters(graph.prunable), missed)


def _filters(graph: ChannelGraph, group: Group) -> int:
    """How many filters make a group's channels, those that stay included."""
    return graph.filters([replace(group, units=(*group.units, *group.stay))])
