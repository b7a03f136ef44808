"""The first table of a report: what each model costs, and how good it is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from paddleprune.pruning import Plan
from paddleprune.pruning.plan import Counts
from paddleprune.reports import ComparisonRow
from paddleprune.reports import format as text
from paddleprune.reports.html.known import Known, Model
from paddleprune.runtimes.modes import MODES, Mode

_FAR = 1e18
"""Larger numbers are no figures."""


@dataclass(frozen=True)
class Cell:
    """A figure of a table.

    Attributes:
        text: as people read it.
        note: what it says beside the first row's.
        value: what the table is sorted by; None where there is no number.
    """

    text: str = "–"
    note: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Line:
    """What is known of one model.

    Attributes:
        name: of the model.
        stage: how far it has come; empty where that isn't known.
        parameters, flops, file_bytes: what it costs; None where that isn't known.
        latency: what ran it -> milliseconds.
        row: the row that `compare` measured, if it did.
        metric: the name of the metric, and its value.
        error: the standard error of its difference to the first model's.
        loss: what the cut lost of the metric, in words.
    """

    name: str
    stage: str
    parameters: float | None = None
    flops: float | None = None
    file_bytes: float | None = None
    latency: dict[str, float] = field(default_factory=dict)
    row: ComparisonRow | None = None
    metric: tuple[str, float] | None = None
    error: float | None = None
    loss: str = ""


@dataclass(frozen=True)
class Table:
    """Cells by row and column; the first column is a name and its stage."""

    head: tuple[str, ...]
    lines: tuple[tuple[Line, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class Tile:
    """A figure that is shown large: what it is, the figure, and what it is made of."""

    title: str
    figure: str
    detail: str


def lines_of(known: Known, others: Sequence[Model] = ()) -> list[Line]:
    """What is known of each model: as `compare` measured it, or else as its files say.

    Args:
        known: of one folder.
        others: models of other folders, of which a plan here may have been made, or the other way round.
    """
    everyone = [*known.models, *others]
    models = {model.name: model for model in known.models}
    found = [_measured(row, models.get(row.name)) for row in known.rows]
    rest = [model for name, model in models.items() if name not in {row.name for row in known.rows}]
    if not any(model.plan is None for model in known.models) and not known.rows:
        there = {model.digest for model in others}
        found += [_before(plan) for plan, _ in known.cuts()[:1] if plan.model not in there]
    counts = _dense_counts(everyone)
    found += [_recorded(model, counts) for model in rest]
    for plan, made in known.cuts():
        names = [model.name for model in made]
        place = next((i for i, line in enumerate(found) if line.name in names), None)
        if place is not None and plan.repair is not None and plan.joint is not None and not _again(plan):
            found.insert(place, _cut_alone(plan, found[place]))
    return found


def table_of(lines: Sequence[Line]) -> Table:
    """The lines beside each other; a column of which nothing is known is left out."""
    first = lines[0]
    engines = list(dict.fromkeys(engine for line in lines for engine in line.latency))
    metrics = list(dict.fromkeys(line.metric[0] for line in lines if line.metric))
    columns: list[tuple[str, list[Cell]]] = [
        ("parameters", [amount(line.parameters, first.parameters, text.count, line is first) for line in lines]),
        ("FLOPs", [amount(line.flops, first.flops, text.count, line is first) for line in lines]),
        ("weights file", [amount(line.file_bytes, first.file_bytes, text.megabytes, line is first) for line in lines]),
        *((f"latency, {engine}", [_latency(line, first, engine) for line in lines]) for engine in engines),
        *((name, [_metric(line, first, name) for line in lines]) for name in metrics),
    ]
    lost = [Cell(line.loss or "–") for line in lines]
    columns.append(("metric lost by the cut", lost))
    kept = [(title, cells) for title, cells in columns if any(cell.text != "–" for cell in cells)]
    rows = tuple((line, tuple(cells[i] for _, cells in kept)) for i, line in enumerate(lines))
    return Table(tuple(title for title, _ in kept), rows)


def tiles_of(lines: Sequence[Line]) -> list[Tile]:
    """What the last cut model costs and loses beside the first one."""
    first, last = lines[0], next((line for line in reversed(lines) if line.stage not in ("dense", "control")), None)
    if last is None or last is first:
        return []
    found = [
        _tile("FLOPs", last.flops, first.flops, text.count),
        _tile("parameters", last.parameters, first.parameters, text.count),
        _tile("weights file", last.file_bytes, first.file_bytes, text.megabytes),
        *(
            _tile(f"latency, {engine}", ms, first.latency.get(engine), text.milliseconds, _same(last, first, engine))
            for engine, ms in last.latency.items()
        ),
    ]
    for line in lines:
        if line.metric and line.stage in ("cut", "cut and repaired", "retrained"):
            cell = _metric(line, first, line.metric[0])
            note = line.loss and f"loss {line.loss}"
            found.append(Tile(f"{line.metric[0]}, {line.stage.removeprefix('cut and ')}", cell.text, cell.note or note))
    return [tile for tile in found if tile is not None]


def _measured(row: ComparisonRow, model: Model | None) -> Line:
    metric = row.metric
    return Line(
        name=row.name,
        stage=model.stage if model else "",
        parameters=row.parameters,
        flops=row.flops,
        file_bytes=row.file_bytes,
        latency={MODES[mode].title: ms for mode, ms in row.latency_ms.items()},
        row=row,
        metric=(metric.name, metric.value) if metric else None,
        error=metric.error if metric else None,
        loss=_lost(model.plan) if model and model.plan and model.stage == "cut and repaired" else "",
    )


def _recorded(model: Model, dense: Mapping[str, Counts]) -> Line:
    plan, info = model.plan, model.info
    counts = plan.after if plan else dense.get(_architecture(model))
    value = info.metrics.get(info.primary_metric)
    return Line(
        name=model.name,
        stage=model.stage,
        parameters=counts.parameters if counts else None,
        flops=counts.flops if counts else None,
        file_bytes=model.file_bytes,
        latency={_engine(plan): plan.latency.pruned} if plan and plan.latency else {},
        metric=(info.primary_metric, value) if value is not None else None,
        loss=_lost(plan) if plan and model.stage in ("cut", "cut and repaired") else "",
    )


def _dense_counts(models: Sequence[Model]) -> dict[str, Counts]:
    """Architecture -> what the plan of a model says of the dense one that it was made of, to the bit."""
    digests = {model.digest: _architecture(model) for model in models if model.plan is None}
    plans = [model.plan for model in models if model.plan is not None]
    return {digests[plan.model]: plan.before for plan in plans if plan.model in digests}


def _architecture(model: Model) -> str:
    """What decides the size of a model that isn't cut."""
    return json.dumps([model.info.task, model.info.family, model.info.options], sort_keys=True)


def _before(plan: Plan) -> Line:
    """The dense model, of which only the plan tells."""
    latency = {_engine(plan): plan.latency.dense} if plan.latency and not _again(plan) else {}
    return Line("before the cut", "dense", plan.before.parameters, plan.before.flops, latency=latency)


def _cut_alone(plan: Plan, made: Line) -> Line:
    assert plan.joint is not None
    loss = f"{plan.joint.cut:.4f}"
    return Line("before the repair", "cut", made.parameters, made.flops, made.file_bytes, loss=loss)


def _again(plan: Plan) -> bool:
    """Is what was measured of it the last of several cuts alone?"""
    return plan.joint is not None and plan.joint.earlier > 0


def _lost(plan: Plan) -> str:
    if plan.joint is None:
        return ""
    error = "" if plan.joint.error is None else f" ± {plan.joint.error:.4f}"
    return f"{plan.joint.repaired:.4f}{error}".replace("-", "−")


def _engine(plan: Plan) -> str:
    assert plan.latency is not None
    asked = plan.latency
    return next(
        (run.title for run in MODES.values() if run.name == asked.runtime and run.onednn == asked.onednn), "CPU"
    )


def amount(value: float | None, before: float | None, show: Callable[[float], str], is_first: bool) -> Cell:
    """A figure, and how it differs from the first row's; empty where it isn't known."""
    if value is None or not abs(value) < _FAR:
        return Cell()
    return Cell(show(value), "" if is_first or not before else text.change(value, before), value)


def _latency(line: Line, first: Line, engine: str) -> Cell:
    ms = line.latency.get(engine)
    cell = amount(ms, first.latency.get(engine), text.milliseconds, line is first)
    return Cell(cell.text, text.SAME, cell.value) if _same(line, first, engine) else cell


def _same(line: Line, first: Line, engine: str) -> bool:
    """Can't the latencies of two models be told apart?"""
    if line is first or line.row is None or first.row is None:
        return False
    mode: Mode | None = next((mode for mode, run in MODES.items() if run.title == engine), None)
    known = all(mode in row.latency_ms and mode in row.latency_spread_ms for row in (line.row, first.row))
    return mode is not None and known and line.row.as_fast_as(first.row, mode)


def _metric(line: Line, first: Line, name: str) -> Cell:
    if line.metric is None or line.metric[0] != name or not math.isfinite(line.metric[1]):
        return Cell()
    value, note = line.metric[1], ""
    if line is not first and line.row and first.metric and first.metric[0] == name:
        error = "" if line.error is None else f" ± {line.error:.4f}"
        note = f"{text.difference(value, first.metric[1])}{error}"
    return Cell(f"{value:.4f}".replace("-", "−"), note, value)


def _tile(
    title: str, value: float | None, before: float | None, show: Callable[[float], str], same: bool = False
) -> Tile | None:
    if value is None or not before or not max(abs(value), abs(before)) < _FAR:
        return None
    beside = f"{show(before)} → {show(value)}"
    if same:
        return Tile(title, text.SAME, f"{beside}: can't be told apart")
    return Tile(title, text.change(value, before), beside)
