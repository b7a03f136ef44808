"""Parts of one table, measured apart, put together."""

from __future__ import annotations

from collections.abc import Mapping

from paddleprune.console import listed
from paddleprune.errors import TableError
from paddleprune.sensitivity.table.file import SensitivityTable


def merged(parts: Mapping[str, SensitivityTable], *, gaps: bool = False) -> SensitivityTable:
    """The table that one call would have measured.

    Args:
        parts: name of the file -> its table; each holds all groups of the network and the entries of some.
        gaps: whether groups may be missing; they stay without entries.

    Raises:
        TableError: the parts belong to different things, two of them hold the same group, or a group is missing.
    """
    (first, whole), *others = parts.items()
    holder = {name: first for name, points in whole.groups.items() if points}
    for place, part in others:
        part.check(whole.identity, place)
        if (part.baseline, part.scores, list(part.groups)) != (whole.baseline, whole.scores, list(whole.groups)):
            raise TableError(f"{place} and {first} aren't of one table: their groups or baselines differ")
        mine = {name: points for name, points in part.groups.items() if points}
        twice = next((name for name in mine if name in holder), None)
        if twice is not None:
            raise TableError(f"{place} and {holder[twice]} both hold {twice}: give each part once")
        whole = whole.model_copy(update={"groups": {**whole.groups, **mine}})
        holder |= dict.fromkeys(mine, place)
    _check_ratios(whole, holder)
    missing = [name for name in whole.groups if name not in holder]
    if missing and not gaps:
        raise TableError(f"no part holds {listed(missing)}: give all parts, or allow `gaps` to leave these whole")
    return whole


def _check_ratios(whole: SensitivityTable, holder: Mapping[str, str]) -> None:
    """Make sure that all parts were measured at the same ratios, to the end."""
    ratios = {name: tuple(point.ratio for point in whole.groups[name]) for name in holder}
    usual = max(ratios.values(), key=len, default=())
    short = next((name for name, found in ratios.items() if found != usual), None)
    if short is not None:
        raise TableError(
            f"{holder[short]} holds {short} at the ratios {_listed(ratios[short])}, another part has {_listed(usual)}: "
            "measure it to the end, with the same ratios"
        )


def _listed(ratios: tuple[float, ...]) -> str:
    return ", ".join(f"{ratio:g}" for ratio in ratios)
