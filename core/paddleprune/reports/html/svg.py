"""SVG as text: elements whose content and attributes are escaped, scales, and a frame with axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


def tag(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """An element; `class_` is `class`, `stroke_width` is `stroke-width`, and what is None is left out."""
    said = [
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _spelled(value))
        for key, value in attributes.items()
        if value is not None
    ]
    return Markup("<{0}{1}>{2}</{0}>").format(
        Markup(name), Markup("").join(said), Markup("").join(map(escape, children))
    )


def _spelled(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` -> pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a number lies."""
        span = self.high - self.low
        return self.start + (self.end - self.start) * ((value - self.low) / span if span else 0.5)

    def ticks(self, about: int) -> list[float]:
        """About so many round numbers within the range."""
        step = _round_step((self.high - self.low) / max(about, 1))
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def span_of(values: Sequence[float], margin: float = 0.08) -> tuple[float, float]:
    """The least and the largest of some numbers, with a margin around; any range around equal ones."""
    low, high = min(values), max(values)
    around = (high - low) * margin or abs(high) * 0.1 or 1.0
    return low - around, high + around


def _round_step(rough: float) -> float:
    if not rough > 0 or not math.isfinite(rough):
        return 1.0
    size = 10.0 ** math.floor(math.log10(rough))
    return size * min((1, 2, 5, 10), key=lambda factor: abs(math.log(factor * size / rough)))


@dataclass(frozen=True)
class Frame:
    """The place of a chart: its size in pixels, and what its axes show."""

    x: Scale
    y: Scale
    width: float
    height: float

    def axes(self, x_title: str, y_title: str, x_ticks: Sequence[tuple[float, str]]) -> list[Markup]:
        """Lines across, numbers at both axes, and what they are."""
        left, right, bottom = self.x.start, self.x.end, self.y.start
        left, right = min(left, right), max(left, right)
        found = []
        for value in self.y.ticks(5):
            at = self.y(value)
            found += [
                tag("line", class_="grid", x1=left, x2=right, y1=at, y2=at),
                tag("text", _number(value), class_="tick end", x=left - 8, y=at + 4),
            ]
        found += [tag("text", word, class_="tick mid", x=self.x(value), y=bottom + 18) for value, word in x_ticks]
        found += [
            tag("text", x_title, class_="axis mid", x=(left + right) / 2, y=self.height - 4),
            tag("text", y_title, class_="axis", x=left, y=self.y.end - 10),
        ]
        return found

    def drawn(self, title: str, *parts: Markup) -> Markup:
        """The picture; its title is for those who can't see it."""
        return tag("svg", *parts, viewBox=f"0 0 {self.width:g} {self.height:g}", role="img", aria_label=title)


def polyline(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """A line through some pixels."""
    return tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)


def _number(value: float) -> str:
    return f"{value + 0.0:.4g}".replace("-", "−")
