"""Where a network is sensitive: groups × ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from paddleprune.errors import ConfigError
from paddleprune.reports.pictures import check_suffix, save_figure

_ROWS = 60  # groups one below the other, before the next column begins
_COLOURS = colormaps["RdBu_r"].with_extremes(bad="#D0D0D0")
_LEAST_WIDTH = 6.5  # inches


def draw_heatmap(
    names: Sequence[str], ratios: Sequence[float], losses: Sequence[Sequence[float | None]], path: Path, *, title: str
) -> None:
    """Write the picture; by suffix PNG, SVG or PDF.

    Args:
        names: the groups, in the network's order.
        ratios: shares of a group's units, ascending.
        losses: metric loss by group and ratio, a share of the baseline, maybe infinite; None where it wasn't measured.
        path: the file.
        title: what stands above.

    Raises:
        ConfigError: an unknown suffix, or nothing to draw.
        SaveError: the disk is full, or the place can't be written.
    """
    check_suffix(path)
    if not names or not ratios:
        raise ConfigError(f"cannot draw {path}: the table has no measured group")
    save_figure(heatmap_figure(names, ratios, losses, title=title), path)


def heatmap_figure(
    names: Sequence[str], ratios: Sequence[float], losses: Sequence[Sequence[float | None]], *, title: str
) -> Figure:
    """The picture: colour and number of a cell are the metric loss in %; many groups go into several columns."""
    percent = 100 * np.array([[np.nan if loss is None else loss for loss in row] for row in losses], np.float64)
    columns = math.ceil(len(names) / _ROWS)
    rows = math.ceil(len(names) / columns)
    width = columns * (0.075 * max(map(len, names)) + 0.42 * len(ratios) + 0.3) + 1
    figure = Figure(figsize=(max(width, _LEAST_WIDTH), 0.21 * rows + 1.7), layout="constrained")
    panels = figure.subplots(1, columns, squeeze=False)[0]
    span = _span(percent)
    for i, axes in enumerate(panels):
        part = slice(i * rows, (i + 1) * rows)
        image = _panel(axes, names[part], ratios, percent[part], rows, Normalize(-span, span))
    bar = figure.colorbar(image, ax=list(panels), fraction=0.03, pad=0.02, aspect=30)
    bar.set_label("metric loss, %", fontsize=9)
    bar.ax.set_ylim(max(float(percent[np.isfinite(percent)].min(initial=0.0)), -span), span)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    figure.suptitle(title, fontsize=13, fontweight="bold")
    figure.supxlabel(
        "metric loss in % of the baseline; below 0: better than the baseline; grey: not measured", fontsize=9
    )
    return figure


def _span(percent: NDArray[np.float64]) -> float:
    """The loss of the darkest colour: white is no loss, blue a gain; one wild value doesn't wash out the rest."""
    measured = np.abs(percent[np.isfinite(percent)])
    return float(np.clip(measured.max(initial=0.0), 1.0, 100.0))


def _panel(
    axes: Axes, names: Sequence[str], ratios: Sequence[float], percent: NDArray[np.float64], rows: int, norm: Normalize
) -> AxesImage:
    shown = np.clip(percent, norm.vmin, norm.vmax)
    image = axes.imshow(np.ma.masked_invalid(shown), cmap=_COLOURS, norm=norm, aspect="auto")
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xticks(range(len(ratios)), [f"{100 * ratio:g}" for ratio in ratios], fontsize=8)
    axes.set_xlabel("units removed, %", fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for (row, column), value in np.ndenumerate(percent):
        if not np.isnan(value):
            dark = abs(norm(shown[row, column]) - 0.5) > 0.3
            text = axes.text(column, row, _number(value), ha="center", va="center", fontsize=7)
            text.set_color("white" if dark else "black")
            text.set_in_layout(False)  # 1,500 numbers would slow the layout down
    return image


def _number(value: float) -> str:
    if math.isinf(value):
        return "∞"
    digits = 0 if abs(value) >= 9.95 else 1
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
