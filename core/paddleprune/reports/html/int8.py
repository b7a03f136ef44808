"""The table of a report that sets a model in INT8 beside the same model in float."""

from __future__ import annotations

from dataclasses import dataclass

from paddleprune.quantization import Quantized
from paddleprune.reports import format as text
from paddleprune.reports.html.headlines import Cell, Line, Table, amount
from paddleprune.reports.html.shown import Shown


@dataclass(frozen=True)
class Int8:
    """What is shown of one `quantized.json`.

    Attributes:
        source: what it says.
        table: both files beside each other.
        left: the steps that stay in float, with what INT8 changes in the outputs there.
    """

    source: Quantized
    table: Table
    left: Shown


def int8_of(said: Quantized) -> Int8:
    """The figures, spelled."""
    error = "" if said.error is None else f" ± {said.error:.4f}"
    loss = f"loss {said.loss:.4f}{error}, {said.max_loss:g} allowed".replace("-", "−")
    one, lines = said.float32, []
    for name, figures in (("FP32", one), ("INT8", said.int8)):
        first, ms = figures is one, figures.latency.median_ms
        cells = (
            amount(figures.bytes, one.bytes, text.megabytes, first),
            amount(ms, one.latency.median_ms, text.milliseconds, first),
            Cell(f"{figures.metric:.4f}".replace("-", "−"), "" if first else loss, figures.metric),
        )
        lines.append((Line(name, ""), cells))
    table = Table(("file", "latency", said.metric), tuple(lines))
    left = Shown.of((step.step, f"changes the outputs by {step.error:.2%}") for step in said.left_in_float)
    return Int8(said, table, left)
