"""The picture of a table: what each tolerance would remove."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pydantic import Field

from paddleprune.files import write_json
from paddleprune.reports.labels import place_labels
from paddleprune.reports.pictures import BLUE, GREEN, GREY, ORANGE, check_suffix, save_figure
from paddleprune.specs import Contract

_STEPS = [1, 2, 5, 10]


class CurvePoint(Contract):
    """What one tolerance would remove; both shares from 0 to 1, of the whole network."""

    eval_metric_loss: float
    parameters_removed: float
    flops_removed: float


class JointPoint(Contract):
    """What the whole plan of one tolerance loses, measured: shares of the metric.

    Attributes:
        eval_metric_loss: the tolerance.
        cut: after the cut.
        repaired: after the cut and the repair.
        error: the standard error of `repaired`.
    """

    eval_metric_loss: float
    cut: float
    repaired: float
    error: float | None = None


class Curve(Contract):
    """Tolerance against what it removes.

    Attributes:
        model: title of the picture.
        metric: the metric whose loss is tolerated.
        baseline: its value on the dense model.
        points: by ascending tolerance.
        joint: what some of these plans lose, where that was measured.
    """

    schema_version: int = 1
    model: str
    metric: str
    baseline: float
    points: tuple[CurvePoint, ...] = Field(min_length=1)
    joint: tuple[JointPoint, ...] = ()


def draw_curve(curve: Curve, picture: Path, data: Path) -> None:
    """Write the picture (by suffix PNG, SVG or PDF), and beside it its points as JSON.

    Raises:
        ConfigError: an unknown suffix.
        SaveError: the disk is full, or the place can't be written.
    """
    check_suffix(picture)
    write_json(data, curve)
    save_figure(curve_figure(curve), picture)


def curve_figure(curve: Curve) -> Figure:
    """The picture: two lines, each point labelled with its percentage."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.add_subplot()
    x = [100 * point.eval_metric_loss for point in curve.points]
    parameters = [100 * point.parameters_removed for point in curve.points]
    flops = [100 * point.flops_removed for point in curve.points]
    axes.plot(x, parameters, "o-", color=BLUE, label="parameters", markersize=4.5, linewidth=1.6)
    axes.plot(x, flops, "s-", color=ORANGE, label="FLOPs", markersize=4, linewidth=1.6)
    _frame(axes, curve, max(parameters + flops))
    _draw_joint(axes, curve)
    if curve.joint:
        axes.legend(loc="center right", frameon=False, fontsize=11)
    else:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=11)
    place_labels(figure, axes, [(x, parameters, BLUE), (x, flops, ORANGE)])
    return figure


def _draw_joint(axes: Axes, curve: Curve) -> None:
    """The measured losses of whole plans."""
    if not curve.joint:
        return
    x = [100 * point.eval_metric_loss for point in curve.joint]
    axes.plot(x, [100 * point.cut for point in curve.joint], "x:", color=GREY, label="metric lost, cut alone")
    errors = [100 * (point.error or 0.0) for point in curve.joint]
    repaired = [100 * point.repaired for point in curve.joint]
    axes.errorbar(x, repaired, errors, fmt="^-", color=GREEN, capsize=3, label="metric lost, repaired")


def _frame(axes: Axes, curve: Curve, highest: float) -> None:
    top = 100.0 if highest > 50 else max(1.1 * highest, 1.0)
    axes.set_ylim(-0.06 * top, 1.08 * top)
    axes.set_xlim(-3)
    axes.xaxis.set_major_locator(MaxNLocator(11, steps=_STEPS))
    ticks = MaxNLocator(10, steps=_STEPS).tick_values(0, top)
    axes.set_yticks([tick for tick in ticks if 0 <= tick <= top])
    axes.set_title(f"{curve.model}: what a tolerance removes\n", loc="left", fontsize=13, fontweight="bold")
    subtitle = f"share of the network that goes; metric {curve.metric}, baseline {curve.baseline:.4g}"
    axes.text(0, 1.02, subtitle, transform=axes.transAxes)
    axes.set_xlabel("tolerance: eval_metric_loss, % of the metric that each group alone may lose")
    axes.set_ylabel("removed, and lost of the metric, %" if curve.joint else "removed, %")
    axes.grid(color="#DDDDDD", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
