"""What is known of a run -> what its page shows: figures spelled, charts drawn, long lists cut short."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from paddleprune.pruning import Plan
from paddleprune.reports.html import charts
from paddleprune.reports.html.headlines import Table, Tile, lines_of, table_of, tiles_of
from paddleprune.reports.html.int8 import Int8, int8_of
from paddleprune.reports.html.known import Known, Model, Picture
from paddleprune.reports.html.recorded import Facts, card, recorded
from paddleprune.reports.html.shown import Shown
from paddleprune.reports.html.words import plain
from paddleprune.sensitivity import SensitivityTable
from paddleprune.sensitivity.table.file import Point

RATIOS, CUTS, NOTES = 20, 6, 40
"""Ratios of a heat map, plans and notes that are shown, at most."""


@dataclass(frozen=True)
class Width:
    """A group before and after the cut; shares are of the widest group."""

    name: str
    before: int
    after: int
    before_share: float
    after_share: float
    gone: float


@dataclass(frozen=True)
class Mended:
    """A layer's error before and after the repair, as shares of the variance of what it gave; and as places, to 100."""

    name: str
    before: float
    after: float
    from_: float
    to: float
    refitted: bool


@dataclass(frozen=True)
class Heat:
    """An entry of the table: its loss in percent, how strong its colour is, and what hovering says."""

    word: str
    value: float
    strength: float
    gain: bool
    tip: str


@dataclass(frozen=True)
class Cut:
    """What is shown of one plan.

    Attributes:
        models: the names of what it made.
        plan: the plan.
        summary: what went.
        widths: of the groups.
        mended: the layers of the repair.
        left: what was left as cut, with the reason.
    """

    models: tuple[str, ...]
    plan: Plan
    summary: str
    widths: Shown
    mended: Shown
    left: Shown


@dataclass(frozen=True)
class HeatMap:
    """The sensitivity table; one that is estimated tells of the training loss, not of the metric."""

    metric: str
    baseline: float
    samples: int
    criterion: str
    estimated: bool
    ratios: tuple[str, ...]
    groups: Shown


@dataclass(frozen=True)
class View:
    """What the page shows of one folder; what isn't known is None or empty.

    Attributes:
        name: of the folder.
        tiles: the figures that are shown large.
        table: the models beside each other.
        notes: how they were measured.
        front: the picture of the front.
        chosen: the names of the models on it.
        heat: the sensitivity table.
        cuts: the plans.
        more_cuts: how many more there are.
        int8: what INT8 costs and saves.
        curves: the pictures of the trainings.
        runs: the names of the trainings, in the order of their lines.
        pictures: examples, and how many more there are.
        recorded: for each model what its files say of how it was made.
        card: what is known for a model card.
    """

    name: str
    tiles: tuple[Tile, ...]
    table: Table | None
    notes: tuple[str, ...]
    front: Markup | None
    chosen: tuple[str, ...]
    heat: HeatMap | None
    cuts: tuple[Cut, ...]
    more_cuts: int
    int8: Int8 | None
    curves: tuple[Markup, ...]
    runs: tuple[str, ...]
    pictures: tuple[Picture, ...]
    unshown: int
    recorded: tuple[tuple[str, Facts], ...]
    card: Facts


def view(known: Known, others: Sequence[Model] = ()) -> View:
    """What the page shows of one folder; `others` are models that may have been chosen from its front."""
    lines = lines_of(known, others)
    cuts, made = known.cuts(), list({id(model): model for model in (*known.models, *others)}.values())
    trained = [model for model in known.models if model.history]
    return View(
        name=known.name,
        tiles=tuple(tiles_of(lines)) if lines else (),
        table=table_of(lines) if lines else None,
        notes=known.notes[:NOTES],
        front=None if known.front is None else charts.front_chart(known.front, made),
        chosen=tuple(m.name for m in made if known.front and charts.place_on(known.front, m)),
        heat=None if known.table is None else _heat_map(known.table),
        cuts=tuple(_cut(plan, models, known.table) for plan, models in cuts[:CUTS]),
        more_cuts=max(0, len(cuts) - CUTS),
        int8=None if known.quantized is None else int8_of(known.quantized),
        curves=tuple(_curves(trained)),
        runs=tuple(model.name for model in trained),
        pictures=known.pictures,
        unshown=known.unshown,
        recorded=recorded(known),
        card=card(known),
    )


def _cut(plan: Plan, models: Sequence[Model], table: SensitivityTable | None) -> Cut:
    repair = plan.repair
    return Cut(
        models=tuple(model.name for model in models),
        plan=plan,
        summary=plan.summary(),
        widths=Shown.of(_widths(plan, table)),
        mended=Shown.of(_mended(plan)),
        left=Shown.of(repair.left.items() if repair else ()),
    )


def _widths(plan: Plan, table: SensitivityTable | None) -> Iterator[Width]:
    """The groups that lose units, in the network's order as far as it is known."""
    orders: list[Iterable[str]] = [table.groups if table else (), plan.repair.layers if plan.repair else ()]
    place = next(({name: i for i, name in enumerate(order)} for order in orders if set(plan.groups) <= set(order)), {})
    widest = max((group.units for group in plan.groups.values()), default=1)
    for name, group in sorted(plan.groups.items(), key=lambda item: place.get(item[0], 0)):
        after = len(group.keep)
        shares = 100 * group.units / widest, 100 * after / widest
        yield Width(name, group.units, after, *shares, 1 - after / group.units)


def _mended(plan: Plan) -> Iterator[Mended]:
    layers = plan.repair.layers if plan.repair else {}
    known = {name: layer for name, layer in layers.items() if math.isfinite(layer.before + layer.after)}
    most = max((max(layer.before, layer.after) for layer in known.values()), default=0.0) or 1.0
    for name, layer in known.items():
        places = 100 * layer.before / most, 100 * layer.after / most
        yield Mended(name, layer.before, layer.after, *places, layer.refitted)


def _heat_map(table: SensitivityTable) -> HeatMap:
    ratios = sorted({point.ratio for points in table.groups.values() for point in points})[:RATIOS]
    losses = [abs(p.loss) for points in table.groups.values() for p in points if math.isfinite(p.loss)]
    most = min(max(max(losses, default=0.0), 0.01), 1.0)
    at = {(name, point.ratio): point for name, points in table.groups.items() for point in points}
    return HeatMap(
        metric=table.identity.metric,
        baseline=table.baseline,
        samples=table.identity.samples,
        criterion=table.criterion,
        estimated=table.identity.estimated is not None,
        ratios=tuple(f"{100 * ratio:g}%" for ratio in ratios),
        groups=Shown.of(
            (name, [_heat(name, at.get((name, ratio)), most) for ratio in ratios]) for name in table.groups
        ),
    )


def _heat(group: str, point: Point | None, most: float) -> Heat | None:
    if point is None or math.isnan(point.loss):
        return None
    strength = min(abs(point.loss) / most, 1.0) ** 0.7  # small losses are what plans are made of
    error = "" if point.error is None else f" ± {100 * point.error:.2f}"
    samples = "" if point.samples is None else f"\n{point.samples} samples{', an estimate' * point.implied}"
    removed = "" if point.removed is None else f"\n{point.removed:.1%} of the units really go"
    said = "everything" if math.isinf(point.loss) else f"{100 * point.loss:.2f}{error} %".replace("-", "−")
    tip = f"{plain(group)}, {100 * point.ratio:g}% removed\nmetric loss {said}{removed}{samples}"
    return Heat(_percent(point.loss), point.loss, round(0.85 * strength, 3), point.loss < 0, tip)


def _percent(loss: float) -> str:
    if math.isinf(loss):
        return "∞"
    digits = 0 if abs(loss) >= 0.0995 else 1
    return f"{round(100 * loss, digits) + 0.0:.{digits}f}".replace("-", "−")


def _curves(models: Sequence[Model]) -> Iterator[Markup]:
    """The training loss, and each primary metric."""
    losses = [[(record.epoch, record.loss) for record in model.history] for model in models]
    drawn = [_curve(models, losses, "training loss")]
    for name in dict.fromkeys(model.info.primary_metric for model in models):
        values = [[(r.epoch, r.metrics[name]) for r in model.history if name in r.metrics] for model in models]
        drawn.append(_curve(models, values, plain(name)))
    yield from (chart for chart in drawn if chart is not None)


def _curve(models: Sequence[Model], values: Sequence[Sequence[tuple[int, float]]], title: str) -> Markup | None:
    lines = []
    for model, points in zip(models, values, strict=True):
        name = plain(model.name)
        said = [(epoch, value, f"{name}\nepoch {epoch}: {title} {value:.4f}") for epoch, value in points]
        lines.append(charts.Line(name, said))
    return charts.curves(lines, title)
