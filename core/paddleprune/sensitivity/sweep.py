"""The sweep: for every prunable group and every ratio, how much does the metric drop?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Protocol, TypeAlias

from paddleprune.console import progress, say
from paddleprune.errors import ConfigError, TableError
from paddleprune.sensitivity.table import Identity, Point, SensitivityTable
from paddleprune.settings import RATIOS

Measure: TypeAlias = Callable[[Mapping[str, float]], float]
"""The metric of the network while each of these groups lacks that share of its units; {} is the dense network."""


class Prunable(Protocol):
    """What the sweep needs to know of a group."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    def count(self, ratio: float) -> int:
        """How many units a ratio removes."""


def sweep(
    groups: Sequence[Prunable],
    measure: Measure,
    identity: Identity,
    *,
    ratios: Sequence[float] = RATIOS,
    save_file: Path | None = None,
) -> SensitivityTable:
    """Measure every group at every ratio, alone.

    The file is replaced whole after each measurement, so that it may be killed at any moment; the same
    call continues it. Entries that can't differ (no unit goes, or as many as at another ratio) are copied.

    Args:
        groups: what may be pruned, in the network's order.
        measure: gives the metric; called once for the dense network and once for each entry that can differ.
        identity: what the measurements belong to.
        ratios: shares of a group's units, each between 0 and 1.
        save_file: where the table is, or goes.

    Raises:
        TableError: the file holds a table of something else, or a metric is not finite, or the dense one 0.
        ConfigError: a ratio isn't between 0 and 1.
    """
    ratios, by_name = _checked(ratios), {group.name: group for group in groups}
    table = _open(save_file, identity, measure, list(by_name))
    missing, total = table.missing(list(by_name), ratios), len(by_name) * len(ratios)
    if len(missing) < total:
        say(f"continuing {save_file}: {total - len(missing)} of {total} are there")
    with progress("analyze", len(missing)) as bar:
        for name, ratio in missing:
            value = _known(table, by_name[name], ratio)
            if value is None:
                value = measure({name: ratio})
            if not isfinite(value):
                raise TableError(f"{identity.metric} is {value:g} with {ratio:g} of {name} gone; it must be a number")
            table = table.with_point(name, Point(ratio=ratio, metric=value, loss=_loss(table, value)))
            _save(table, save_file)
            bar.advance(note=f"{name} {ratio:g} -> {value:.4f}")
    return table


def _save(table: SensitivityTable, save_file: Path | None) -> None:
    if save_file is not None:
        table.save(save_file)


def _checked(ratios: Sequence[float]) -> list[float]:
    for ratio in ratios:
        if not 0 < ratio < 1:
            raise ConfigError(f"a ratio must lie between 0 and 1, got {ratio:g}")
    if not ratios:
        raise ConfigError("there are no ratios to measure; give at least one between 0 and 1")
    return sorted({round(ratio, 6) for ratio in ratios})


def _open(save_file: Path | None, identity: Identity, measure: Measure, names: Sequence[str]) -> SensitivityTable:
    """The table that is there, or a new one, of which only the baseline is measured."""
    if save_file is not None and save_file.exists():
        table = SensitivityTable.load(save_file)
        table.check(identity, str(save_file))
        return table
    baseline = measure({})
    if baseline == 0 or not isfinite(baseline):
        raise TableError(
            f"the dense model's {identity.metric} is {baseline:g}, so that no metric loss can be computed; "
            "check the labels of the evaluation data, or train the model first"
        )
    table = SensitivityTable(identity=identity, baseline=baseline, groups=dict.fromkeys(names, ()))
    _save(table, save_file)
    return table


def _loss(table: SensitivityTable, value: float) -> float:
    drop = (table.baseline - value) / abs(table.baseline)
    return drop if table.identity.higher_is_better else -drop


def _known(table: SensitivityTable, group: Prunable, ratio: float) -> float | None:
    """The metric, if it follows from what is there: nothing goes, or as much as at another ratio."""
    if group.count(ratio) == 0:
        return table.baseline
    same = [p for p in table.groups.get(group.name, ()) if group.count(p.ratio) == group.count(ratio)]
    return same[0].metric if same else None
