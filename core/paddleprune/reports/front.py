"""The picture of a front: what is left of the metric at each size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from paddleprune.files import write_json
from paddleprune.reports.pictures import BLUE, GREY, ORANGE, check_suffix, save_figure
from paddleprune.settings import CostName, RuntimeName
from paddleprune.specs import Contract

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORDS: dict[CostName, str] = {"flops": "FLOPs", "params": "parameters", "latency": "latency"}
"""What people call a cost."""


class FrontPoint(Contract):
    """One size.

    Attributes:
        flops, params, latency: what stays, as shares of the dense network's; latency where it was measured.
        expected_loss: the sum of the losses of single groups that a table expects; None without one.
        cut: the metric after the cut.
        repaired: after the cut and the repair.
        error: the standard error of the difference to the dense network.
    """

    flops: float
    params: float
    latency: float | None = None
    expected_loss: float | None = None
    cut: float
    repaired: float
    error: float | None = None

    def stays(self, name: CostName) -> float:
        """What stays of a cost, as a share."""
        value = getattr(self, name)
        return float("nan") if value is None else float(value)


class Front(Contract):
    """What is left of a metric at several sizes, without training.

    Attributes:
        model: title of the picture.
        metric: its name.
        higher_is_better: its direction.
        baseline: its value on the dense network.
        samples: evaluation samples.
        by: the cost along the picture.
        runtime: what ran the models for the latency; None where that doesn't count.
        points: the largest first.
    """

    schema_version: int = 1
    model: str
    metric: str
    higher_is_better: bool
    baseline: float
    samples: int
    by: CostName
    runtime: RuntimeName | None = None
    points: tuple[FrontPoint, ...] = Field(min_length=1)


def draw_front(front: Front, picture: Path, data: Path) -> None:
    """Write the picture (by suffix PNG, SVG or PDF), and beside it its points as JSON.

    Raises:
        ConfigError: an unknown suffix.
        SaveError: the disk is full, or the place can't be written.
    """
    check_suffix(picture)
    write_json(data, front)
    save_figure(front_figure(front), picture)


def front_figure(front: Front) -> Figure:
    """The picture: the metric after the repair with its standard error, and after the cut alone."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.add_subplot()
    x = [100 * point.stays(front.by) for point in front.points]
    errors = [point.error or 0.0 for point in front.points]
    repaired = [point.repaired for point in front.points]
    axes.axhline(front.baseline, color=GREY, linewidth=1, linestyle="--", label=f"dense {front.baseline:.4g}")
    axes.errorbar(x, repaired, errors, fmt="o-", color=BLUE, capsize=3, label="cut and repaired", linewidth=1.6)
    axes.plot(x, [point.cut for point in front.points], "s:", color=ORANGE, label="cut alone", markersize=4)
    for place, value in zip(x, repaired, strict=True):
        axes.annotate(
            f"{value:.3f}", (place, value), xytext=(0, 9), textcoords="offset points", ha="center", color=BLUE
        )
    axes.invert_xaxis()
    axes.set_title(f"{front.model}: what each size costs\n", loc="left", fontsize=13, fontweight="bold")
    axes.text(0, 1.02, f"{front.metric} of {front.samples} samples, without training", transform=axes.transAxes)
    where = "" if front.runtime is None else f" in {front.runtime}"
    axes.set_xlabel(f"{WORDS[front.by]}{where} that stay, % of the dense model's")
    axes.set_ylabel(front.metric)
    axes.legend(loc="lower left", frameon=False)
    axes.grid(color="#DDDDDD", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
