"""The sweep: for every prunable group and every ratio, how much does the metric drop?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from pathlib import Path

from paddle import nn

from paddleprune.console import progress, say
from paddleprune.errors import ConfigError, TableError
from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Metric
from paddleprune.measure.evaluation import Batches, evaluate
from paddleprune.sensitivity.criteria import rank
from paddleprune.sensitivity.evaluators import Evaluator, choose_evaluator
from paddleprune.sensitivity.table import Identity, Point, SensitivityTable, model_digest
from paddleprune.settings import RATIOS, Criterion


def sweep(
    layer: nn.Layer,
    graph: ChannelGraph,
    metric: Metric,
    batches: Batches,
    *,
    criterion: Criterion = "l1",
    ratios: Sequence[float] = RATIOS,
    save_file: Path | None = None,
) -> SensitivityTable:
    """Measure every prunable group at every ratio, alone.

    The file is replaced whole after each measurement, so that it may be killed at any moment; the same
    call continues it. Entries that can't differ (no unit goes, or as many as at another ratio) are copied.

    Args:
        layer: the dense network; its weights are changed while a mask is open, and restored bit for bit.
        graph: its channel graph.
        metric: its primary value counts.
        batches: the evaluation data.
        criterion: which units go first.
        ratios: shares of a group's units, each between 0 and 1.
        save_file: where the table is, or goes.

    Raises:
        TableError: the file holds a table of something else, or the baseline is 0 or not finite.
        ConfigError: a ratio isn't between 0 and 1.
    """
    ratios = _checked(ratios)
    evaluator = choose_evaluator(layer, graph, batches)
    identity = Identity(
        model=model_digest(layer),
        data=batches.digest(),
        samples=len(batches.dataset),
        metric=metric.primary,
        higher_is_better=metric.higher_is_better,
        criterion=criterion,
    )
    names = [group.name for group in graph.prunable]
    table = _open(save_file, identity, _baseline(evaluator, metric, batches), names)
    missing, total = table.missing(names, ratios), len(names) * len(ratios)
    if len(missing) < total:
        say(f"continuing {save_file}: {total - len(missing)} of {total} are there")
    rankings = rank(layer, graph, criterion)
    with progress("analyze", len(missing)) as bar:
        for name, ratio in missing:
            value = _known(table, graph, name, ratio)
            if value is None:
                gone = [graph[name].units[i] for i in rankings[name][: graph[name].count(ratio)]]
                value = _without(evaluator, metric, batches, gone)
            if not isfinite(value):
                raise TableError(f"{metric.primary} is {value:g} with {ratio:g} of {name} gone; it must be a number")
            table = table.with_point(name, Point(ratio=ratio, metric=value, loss=_loss(table, value)))
            _save(table, save_file)
            bar.advance(note=f"{name} {ratio:g} -> {value:.4f}")
    return table


def _baseline(evaluator: Evaluator, metric: Metric, batches: Batches) -> float:
    with progress("baseline", len(batches)) as bar:
        value = _without(evaluator, metric, batches, (), bar.advance)
    if value == 0 or not isfinite(value):
        raise TableError(
            f"the dense model's {metric.primary} is {value:g}, so that no metric loss can be computed; "
            "check the labels of the evaluation data, or train the model first"
        )
    return value


def _without(
    evaluator: Evaluator,
    metric: Metric,
    batches: Batches,
    removed: Iterable[int],
    on_batch: Callable[[], None] | None = None,
) -> float:
    """The primary metric of the network without some units."""
    with evaluator.removing(removed) as forward:
        return evaluate(forward, metric, batches, on_batch)[metric.primary]


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


def _open(save_file: Path | None, identity: Identity, baseline: float, names: Sequence[str]) -> SensitivityTable:
    if save_file is not None and save_file.exists():
        table = SensitivityTable.load(save_file)
        table.check(identity, str(save_file))
        return table
    table = SensitivityTable(identity=identity, baseline=baseline, groups=dict.fromkeys(names, ()))
    _save(table, save_file)
    return table


def _loss(table: SensitivityTable, value: float) -> float:
    drop = (table.baseline - value) / abs(table.baseline)
    return drop if table.identity.higher_is_better else -drop


def _known(table: SensitivityTable, graph: ChannelGraph, name: str, ratio: float) -> float | None:
    """The metric, if it follows from what is there: nothing goes, or as much as at another ratio."""
    group = graph[name]
    if group.count(ratio) == 0:
        return table.baseline
    same = [p for p in table.groups.get(name, ()) if group.count(p.ratio) == group.count(ratio)]
    return same[0].metric if same else None
