"""Labels of points that neither overlap each other nor hide a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

Series: TypeAlias = tuple[Sequence[float], Sequence[float], str]
"""x, y and colour of a line."""
_OFFSETS = (7, 14, 21, 28)  # points (1/72 inch) from the point to its label
_ASIDE = 4  # points to the left above a line and to the right below: lines rise
_MARKER = 4.0  # pixels around a point that stay free


def place_labels(figure: Figure, axes: Axes, lines: Sequence[Series]) -> None:
    """Write each point's y beside it: above the higher line, below the lower one, or further off if that is taken.

    A label that fits nowhere is left out.
    """
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the labels below are placed in this layout
    taken = [_around(axes, x, y) for xs, ys, _ in lines for x, y in zip(xs, ys, strict=True)]
    legend = axes.get_legend()
    if legend is not None:
        taken.append(legend.get_window_extent())
    for index in range(len(lines[0][0])):
        highest = max(range(len(lines)), key=lambda line: lines[line][1][index])
        for number, (xs, ys, colour) in enumerate(lines):
            side = 1 if number == highest else -1
            _place(axes, xs[index], ys[index], colour, side, taken)


def _place(axes: Axes, x: float, y: float, colour: str, side: int, taken: list[Bbox]) -> None:
    """Try the places near to a point, the nearest on the preferred side first."""
    note = axes.annotate(
        f"{y:.1f}",
        (x, y),
        xytext=(0, 0),
        textcoords="offset points",
        color=colour,
        fontsize=7.5,
        ha="center",
        va="center",
        path_effects=[withStroke(linewidth=2, foreground="white")],
    )
    frame = axes.get_window_extent()
    for offset in (*(side * step for step in _OFFSETS), *(-side * step for step in _OFFSETS)):
        box = _moved(note, offset)
        inside = frame.y0 <= box.y0 and box.y1 <= frame.y1
        if inside and not any(box.overlaps(other) for other in taken):
            taken.append(box)
            return
    note.remove()


def _moved(note: Annotation, offset: float) -> Bbox:
    note.set_position((-_ASIDE if offset > 0 else _ASIDE, offset))
    return note.get_window_extent().padded(0.5)


def _around(axes: Axes, x: float, y: float) -> Bbox:
    column, row = axes.transData.transform((x, y))
    return Bbox.from_extents(column - _MARKER, row - _MARKER, column + _MARKER, row + _MARKER)
