"""The sweep: for every prunable group and every ratio, how much does the metric drop?"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from math import isfinite, nan
from pathlib import Path
from typing import Protocol

from paddleprune.amounts import likely
from paddleprune.console import counted, say
from paddleprune.errors import ConfigError, Interrupted, TableError
from paddleprune.sensitivity.measuring.kept import clear, drop, folder_of
from paddleprune.sensitivity.measuring.measurer import Known, Measurer, Scores
from paddleprune.sensitivity.measuring.questions import Question
from paddleprune.sensitivity.measuring.scores import Score
from paddleprune.sensitivity.table.file import Identity, Point, SensitivityTable
from paddleprune.settings import RATIOS


class Prunable(Protocol):
    """What the sweep needs to know of a group."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    @property
    def size(self) -> int:
        """How many units it has."""

    def count(self, ratio: float) -> int:
        """How many units a ratio really removes."""


def sweep(
    groups: Sequence[Prunable],
    measurer: Measurer,
    identity: Identity,
    *,
    ratios: Sequence[float] = RATIOS,
    question: Question | None = None,
    save_file: Path | None = None,
    ranked_by: Mapping[str, Sequence[float]] | None = None,
    listed: Sequence[str] | None = None,
) -> SensitivityTable:
    """Measure every group at every ratio, alone, as far as the question wants it.

    The file is replaced whole whenever groups have been measured (several that share work come together), so that it
    may be killed at any moment; the same call continues it. What is being measured meanwhile is the measurer's to
    keep. Entries that can't differ (no unit goes, or as many as at another ratio) are copied.

    Args:
        groups: what may be pruned, in the network's order.
        measurer: measures the dense network, and each entry that can differ.
        identity: what the measurements belong to.
        ratios: shares of a group's units, each between 0 and 1.
        question: which entries are wanted; all if None.
        save_file: where the table is, or goes.
        ranked_by: group name -> its units' scores, where the table is to say it.
        listed: all groups of the table, in the network's order, where only some are measured here.

    Raises:
        TableError: the file holds a table of something else, or the dense metric is 0 or not finite.
        ConfigError: a ratio isn't between 0 and 1.
    """
    ratios, question = checked_ratios(ratios), question or Question()
    table = _open(save_file, identity, measurer, listed or [group.name for group in groups], ranked_by)
    check_removed(table, groups)
    known = {group.name: _known(table, group, ratios) for group in groups}
    work = {name: scores for name, scores in known.items() if question.wants(scores, identity.samples)}
    table = _recorded(table, {}, groups, ratios, save_file)
    if any(known_score is not None for scores in known.values() for known_score in scores.values()):
        say(f"continuing {save_file}: {_entries(table, groups, ratios)} are there")
    todo = {name: _incomplete_dropped(known[name]) for name in work}
    try:
        with closing(measurer.measure(todo, table.baseline) if todo else _nothing()) as found:
            for scores in found:
                table = _recorded(table, scores, groups, ratios, save_file)
    except KeyboardInterrupt:
        if save_file is None:
            raise
        entries = _entries(SensitivityTable.load(save_file), groups, ratios)
        begun = ", those that were begun are kept beside it" if folder_of(save_file).exists() else ""
        raise Interrupted(f"interrupted; {entries} are in {save_file}{begun}; the same command goes on") from None
    if save_file is not None:
        clear(save_file)
    return table


def _entries(table: SensitivityTable, groups: Sequence[Prunable], ratios: Sequence[float]) -> str:
    """How many entries of all those that a table with these ratios has are there."""
    there = sum(table.point(group.name, ratio) is not None for group in groups for ratio in ratios)
    return f"{there} of {len(groups) * len(ratios)} entries"


def _nothing() -> Generator[Scores, None, None]:
    yield from ()


def check_removed(table: SensitivityTable, groups: Sequence[Prunable]) -> None:
    """Refuse entries of earlier versions, where fewer units had gone than plans remove at those ratios today.

    Raises:
        TableError: naming the group.
    """
    for group in groups if table.identity.imported is None else ():
        several_axes = group.count(1.0) < group.size - 1
        if several_axes and any(point.removed is None for point in table.groups.get(group.name, ())):
            raise TableError(
                f"the table is of an earlier version, which removed fewer units of {group.name} than its ratios say; "
                "analyze the model again, into another file"
            )


def _recorded(
    table: SensitivityTable, scores: Scores, groups: Sequence[Prunable], ratios: Sequence[float], save_file: Path | None
) -> SensitivityTable:
    """The table with new entries, and those that follow from them, saved."""
    before, by_name = table, {group.name: group for group in groups}
    for (name, ratio), score in scores.items():
        if not isfinite(score.metric):
            if not score.complete:  # the metric of all samples may be a number
                continue
            what = f"{table.identity.metric} is {score.metric:g} with {ratio:g} of {name} gone"
            say(f"{what}, which counts as an infinite loss")
        known = table.point(name, ratio)
        if known is None or (known.samples or 0) <= (score.samples or 0):
            table = table.with_point(name, _point(by_name[name], ratio, score))
    for group in groups:
        table = _copied(table, group, ratios)
    if save_file is not None and table != before:
        table.save(save_file)
        drop(save_file, {name for (name, _), score in scores.items() if score.complete})
    return table


def _incomplete_dropped(known: Known) -> Known:
    return {ratio: score if score is not None and score.complete else None for ratio, score in known.items()}


def unsure(table: SensitivityTable, groups: Sequence[Prunable], question: Question) -> list[str]:
    """Groups whose entries don't settle the question: a plan for it rests on estimates there."""
    ratios = sorted({point.ratio for points in table.groups.values() for point in points})
    known = {group.name: _known(table, group, ratios) for group in groups if table.groups.get(group.name)}
    return [name for name, scores in known.items() if question.wants(scores, table.identity.samples)]


def left_out(
    table: SensitivityTable, groups: Sequence[Prunable], ratios: Sequence[float], question: Question
) -> str | None:
    """One line: what wasn't measured to the end, and whether that matters to the question; None if all was."""
    points = [table.point(group.name, ratio) for group in groups for ratio in checked_ratios(ratios)]
    measured = sum(point is not None and not point.implied for point in points)
    missing = sum(point is None for point in points)
    if measured == len(points):
        return None
    estimates = len(points) - measured - missing
    line = f"{measured} of {len(points)} entries are measured on all samples, {estimates} are estimates"
    line += f", {missing} weren't looked at" if missing else ""
    open_ = [group.name for group in groups if not table.groups.get(group.name)] + unsure(table, groups, question)
    if not open_:
        return f"{line}; those can't change the plans that were asked for"
    names = ", ".join(open_[:4]) + ", …" * (len(open_) > 4)
    return f"{line}; the plan may still change at {counted(len(open_), 'group')} ({names})"


def checked_ratios(ratios: Sequence[float]) -> list[float]:
    """Ratios, ascending and each once.

    Raises:
        ConfigError: there are none, or one isn't between 0 and 1.
    """
    for ratio in ratios:
        if not 0 < ratio < 1:
            raise ConfigError(f"a ratio must lie between 0 and 1, got {ratio:g}{likely(ratio)}")
    if not ratios:
        raise ConfigError("there are no ratios to measure; give at least one between 0 and 1")
    return sorted({round(ratio, 6) for ratio in ratios})


def _open(
    save_file: Path | None,
    identity: Identity,
    measurer: Measurer,
    names: Sequence[str],
    ranked_by: Mapping[str, Sequence[float]] | None,
) -> SensitivityTable:
    """The table that is there, or a new one, of which only the baseline is measured."""
    if save_file is not None and save_file.exists():
        table = SensitivityTable.load(save_file)
        table.check(identity, str(save_file))
        return table
    baseline = measurer.baseline()
    if baseline == 0 or not isfinite(baseline):
        raise TableError(
            f"the dense model's {identity.metric} is {baseline:g}, so that no metric loss can be computed; "
            "check the labels of the evaluation data, or train the model first"
        )
    kept = None if ranked_by is None else {name: tuple(some) for name, some in ranked_by.items()}
    table = SensitivityTable(identity=identity, baseline=baseline, groups=dict.fromkeys(names, ()), scores=kept)
    if save_file is not None:
        table.save(save_file)
    return table


def _known(table: SensitivityTable, group: Prunable, ratios: Sequence[float]) -> Known:
    """For each ratio that can differ from smaller ones, what the table says; None if it must still be measured."""
    found: dict[float, Score | None] = {}
    counts: set[int] = {0}
    for ratio in ratios:
        if group.count(ratio) in counts:
            continue
        counts.add(group.count(ratio))
        same = [p for p in table.groups.get(group.name, ()) if group.count(p.ratio) == group.count(ratio)]
        point = next((p for p in same if not p.implied), same[0] if same else None)
        found[ratio] = None if point is None else _score(point)
    return found


def _copied(table: SensitivityTable, group: Prunable, ratios: Sequence[float]) -> SensitivityTable:
    """The table with a group's entries that follow from others: nothing goes, or as much as at a smaller ratio."""
    points = {group.count(p.ratio): p for p in reversed(table.groups.get(group.name, ()))}
    points[0] = Point(ratio=0.5, metric=table.baseline, loss=0.0, error=0.0, samples=table.identity.samples or None)
    for ratio in ratios:
        same = points.get(group.count(ratio))
        copy = None if same is None else same.model_copy(update={"ratio": ratio, "removed": _removed(group, ratio)})
        if copy is not None and copy != table.point(group.name, ratio):
            table = table.with_point(group.name, copy)
    return table


def _score(point: Point) -> Score:
    metric = nan if point.metric is None else point.metric
    return Score(metric, point.loss, point.error, point.samples, complete=not point.implied)


def _removed(group: Prunable, ratio: float) -> float:
    """The share of its units that really goes."""
    return round(group.count(ratio) / group.size, 6)


def _point(group: Prunable, ratio: float, score: Score) -> Point:
    return Point(
        ratio=ratio,
        removed=_removed(group, ratio),
        metric=score.metric if isfinite(score.metric) else None,
        loss=score.loss,
        error=score.error,
        samples=score.samples,
        implied=not score.complete,
    )
