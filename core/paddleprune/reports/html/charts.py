"""The charts of a report: a front, and curves of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from paddleprune.reports import Front
from paddleprune.reports.front import WORDS
from paddleprune.reports.html.known import Model
from paddleprune.reports.html.svg import Frame, Scale, polyline, span_of, tag
from paddleprune.reports.html.words import plain

SERIES = 5
"""Kinds of lines that can be told apart, by colour and dash."""
_FAR, _POINTS, _DOTS = 1e12, 100, 100
"""Larger numbers are no figures; points of a front, and dots on a line, at most."""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: for the legend.
        points: (x, y, what hovering says).
    """

    name: str
    points: Sequence[tuple[float, float, str]]


def front_chart(front: Front, chosen: Sequence[Model]) -> Markup | None:
    """What is left of the metric at each size, cut and repaired, and cut alone; rings where models were chosen.

    Args:
        front: the front.
        chosen: pruned models; those of another family, metric, or without a size are left out.
    """
    metric, cost = plain(front.metric), WORDS[front.by]
    points = [p for p in front.points[:_POINTS] if _drawable(p.stays(front.by), p.repaired, p.cut, p.error or 0.0)]
    if not points or not _drawable(front.baseline):
        return None
    rings = [(100 * stays, value, plain(model.name)) for model in chosen for stays, value in place_on(front, model)]
    errors = [sign * (p.error or 0.0) for p in points for sign in (-1, 1)]
    values = [p.repaired for p in points for _ in (0, 1)]
    low, high = span_of(
        [front.baseline, *(a + b for a, b in zip(values, errors, strict=True)), *(p.cut for p in points)]
        + [value for _, value, _ in rings]
    )
    shares = [100 * p.stays(front.by) for p in points] + [x for x, _, _ in rings]
    frame = Frame(Scale(max(100.0, *shares), min(0.0, *shares), 56, 624), Scale(low, high, 272, 34), 640, 316)
    x, y = frame.x, frame.y
    parts = frame.axes(f"{cost} that stay, % of the dense model's", metric, _percents(x))
    parts.append(tag("line", class_="dense", x1=56, x2=624, y1=y(front.baseline), y2=y(front.baseline)))
    for point in points:
        if point.error:
            at = x(100 * point.stays(front.by))
            ends = (y(point.repaired - point.error), y(point.repaired + point.error))
            parts.append(tag("line", class_="error s0", x1=at, x2=at, y1=ends[0], y2=ends[1]))
    for number, (word, values) in enumerate(
        (("cut and repaired", [p.repaired for p in points]), ("cut alone", [p.cut for p in points]))
    ):
        said = []
        for point, value in zip(points, values, strict=True):
            error = f" ± {point.error:.4f}" if point.error and number == 0 else ""
            stays = f"{point.stays(front.by):.1%} of the {cost}"
            said.append((100 * point.stays(front.by), value, f"{word}: {metric} {value:.4f}{error}\n{stays}"))
        parts += _drawn_line(Line(word, said), number, frame)
    for at, value, name in rings:
        tip = f"{name}: {metric} {value:.4f}\n{at:.1f}% of the {cost}"
        parts.append(tag("circle", class_="ring", cx=x(at), cy=y(value), r=8, data_tip=tip, tabindex="0"))
    return frame.drawn(f"{plain(front.model)}: {metric} at each size", *parts)


def place_on(front: Front, model: Model) -> list[tuple[float, float]]:
    """Where a model lies on a front, if it can be there."""
    plan, value = model.plan, model.info.metrics.get(front.metric)
    if plan is None or value is None or model.info.family != front.model:
        return []
    stays = {
        "flops": plan.after.flops / max(plan.before.flops, 1),
        "params": plan.after.parameters / max(plan.before.parameters, 1),
        "latency": plan.latency.pruned / plan.latency.dense if plan.latency and plan.latency.dense else math.nan,
    }[front.by]
    return [(stays, value)] if _drawable(stays, value) else []


def curves(lines: Sequence[Line], title: str) -> Markup | None:
    """Epochs against a figure, a line a run; None where there is nothing to draw."""
    kept = [Line(line.name, [p for p in line.points if _drawable(*p[:2])]) for line in lines]
    found = [point for line in kept for point in line.points]
    if not found:
        return None
    epochs = [x for x, _, _ in found]
    low, high = span_of([y for _, y, _ in found])
    x = Scale(min(epochs), max(epochs), 56, 464)
    frame = Frame(x, Scale(low, high, 232, 34), 480, 276)
    ticks = sorted({round(tick) for tick in x.ticks(8) if min(epochs) <= round(tick) <= max(epochs)})
    parts = frame.axes("epoch", title, [(tick, str(tick)) for tick in ticks])
    for number, line in enumerate(kept):
        parts += _drawn_line(line, number, frame)
    return frame.drawn(f"{title} by epoch", *parts)


def _drawn_line(line: Line, number: int, frame: Frame) -> list[Markup]:
    places = [(frame.x(x), frame.y(y)) for x, y, _ in line.points]
    kind = f"s{number % SERIES}"
    dots = [
        tag("circle", class_=f"dot {kind}", cx=cx, cy=cy, r=3.5, data_tip=tip, tabindex="0")
        for (cx, cy), (_, _, tip) in list(zip(places, line.points, strict=True))[:: max(1, len(places) // _DOTS)]
    ]
    return [polyline(places, f"line {kind}"), *dots]


def _percents(scale: Scale) -> list[tuple[float, str]]:
    turned = Scale(scale.high, scale.low, scale.end, scale.start)
    return [(tick, f"{tick:g}") for tick in turned.ticks(8)]


def _drawable(*values: float) -> bool:
    return all(math.isfinite(value) and abs(value) < _FAR for value in values)
