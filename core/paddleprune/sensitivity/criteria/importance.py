"""How much each unit matters, and what tables and plans call what says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from paddleprune.errors import ConfigError
from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Array, Scorer
from paddleprune.settings import CRITERIA, Criterion
from paddleprune.validation import choose_from

_NO_NAMES = ("partial", "obs", *CRITERIA)
"""Names of functions that say nothing, or something else."""


@dataclass(frozen=True)
class Importance:
    """How much each unit of a network matters.

    Attributes:
        criterion: what says so, by its name.
        scores: group name -> a score for each of the group's units; a unit with a higher score matters more.
    """

    criterion: str
    scores: Mapping[str, Sequence[float]]

    def rankings(self, graph: ChannelGraph) -> dict[str, list[int]]:
        """The order in which the units of every prunable group go, as their indices; ties keep the channels' order.

        Raises:
            ConfigError: the scores are those of another network.
        """
        found = {}
        for group in graph.prunable:
            scores = self._of(group.name, len(group.units))
            index = {unit: i for i, unit in enumerate(group.units)}
            order = np.argsort(scores, kind="stable")
            found[group.name] = [index[unit] for unit in group.removable(group.units[i] for i in order)]
        return found

    def of_units(self, graph: ChannelGraph) -> Array:
        """The scores by the units' numbers: [units]; 0 for those that can't go."""
        found = np.zeros(graph.numbers)
        for group in graph.prunable:
            found[list(group.units)] = self._of(group.name, len(group.units))
        return found

    def _of(self, group: str, units: int) -> Array:
        scores = np.asarray(self.scores.get(group, ()), np.float64)
        if len(scores) != units:
            raise ConfigError(
                f"the scores by {self.criterion} are of another network: {group} has {units} units, not {len(scores)}; "
                "score this one"
            )
        return scores


class Ranked(Protocol):
    """A table: what ranked its units, and how, where that isn't told by the weights alone."""

    @property
    def criterion(self) -> str:
        """What ranked the units, by its name."""

    @property
    def scores(self) -> Mapping[str, Sequence[float]] | None:
        """Group name -> the units' scores, where they come from data."""


def criterion_name(criterion: Criterion | Scorer | Importance) -> str:
    """What tables and plans call a criterion: its name, or that of the function.

    Raises:
        ConfigError: no criterion has that name, or the function has none of its own.
    """
    if isinstance(criterion, Importance):
        return criterion.criterion
    if not callable(criterion):
        if criterion not in CRITERIA:
            way_out = choose_from(str(criterion), CRITERIA)
            raise ConfigError(f"unknown criterion {criterion!r}{way_out}, or give a function")
        return criterion
    name = str(getattr(criterion, "__name__", type(criterion).__name__))
    if not name.isidentifier() or name in _NO_NAMES:
        raise ConfigError(f"the criterion {criterion!r} has no name by which a table could know it; define it with def")
    return name


def criterion_of(
    table: Ranked, given: Criterion | Scorer | Importance | None = None
) -> Criterion | Scorer | Importance:
    """What ranked the units of a table.

    Args:
        table: the table; scores that it holds are taken from it.
        given: what the user says; needed where it is a function of the user's own.

    Raises:
        ConfigError: the user says something else, or nothing of a function.
    """
    recorded = table.criterion
    if given is not None and criterion_name(given) != recorded:
        what = f"{recorded!r}, not {criterion_name(given)!r}"
        raise ConfigError(f"the table was measured with the criterion {what}; leave criterion out")
    if table.scores is not None:
        return Importance(recorded, table.scores)
    if given is not None:
        return given
    built_in = next((name for name in CRITERIA if name == recorded), None)
    if built_in is None:
        raise ConfigError(
            f"the table was measured with the criterion {recorded!r}, which isn't built in; "
            f"give the function: criterion={recorded}"
        )
    return built_in
