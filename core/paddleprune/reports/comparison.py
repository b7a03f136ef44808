"""Models side by side: what pruning gave, and what it cost."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from pydantic import Field
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from paddleprune.console import counted
from paddleprune.files import write_json, write_text
from paddleprune.reports import format as text
from paddleprune.reports.rows import ComparisonRow, Conditions, MetricValue
from paddleprune.runtimes.modes import MODES, Mode
from paddleprune.specs import Contract

_WIDE = 200  # columns where the output is no terminal: nothing needs to be folded


class Comparison(Contract):
    """Rows and how they were measured; the first row is what the others are compared with."""

    conditions: Conditions
    rows: tuple[ComparisonRow, ...] = Field(min_length=1)

    def save(self, folder: Path) -> list[Path]:
        """Write `comparison.json`, a list of the rows, and `comparison.md`, for people.

        Raises:
            SaveError: the disk is full, or the place can't be written.
        """
        files = [folder / "comparison.json", folder / "comparison.md"]
        write_json(files[0], [row.model_dump(mode="json") for row in self.rows])
        write_text(files[1], self.markdown())
        return files

    def markdown(self) -> str:
        """The table, the spread of the latencies and the conditions."""
        header, *lines = _cells(self.rows)
        rule = [":---"] + ["---:"] * (len(header) - 1)
        table = "\n".join("| " + " | ".join(_escaped(cells)) + " |" for cells in (header, rule, *lines))
        notes = "\n".join(f"- {line}" for line in self.notes())
        return f"{table}\n\n{notes}\n"

    def show(self, file: TextIO | None = None) -> None:
        """Print the table and the conditions to a terminal or a file, by default to stdout."""
        out = Console(file=file or sys.stdout, highlight=False)
        if not out.is_terminal:
            out = Console(file=file or sys.stdout, highlight=False, width=_WIDE)
        lines = list(_cells(self.rows))
        table = _table(lines)
        if out.measure(table, options=out.options.update(max_width=_WIDE)).maximum > out.width:
            table = _table(list(zip(*lines, strict=True)))  # models side by side
        out.print(table)
        for line in self.notes():
            out.print(f"  {line}", markup=False, soft_wrap=not out.is_terminal)

    def notes(self) -> list[str]:
        """What the figures mean and how they were measured, a line each."""
        how = self.conditions
        return [
            f"In brackets: the change against {self.rows[0].name}; of the metric, the difference and its "
            f"standard error; {text.SAME} where two latencies differ by no more than the runs of one model.",
            f"Latency: one sample on the CPU, pre- and post-processing excluded; median of at least {how.runs} runs "
            f"after warm-up, {counted(how.threads, 'thread')}, {how.cpu}, {', '.join(how.runtimes)}.",
            *self._fastest(),
            *(f"10th to 90th percentile of the latency of {row.name}: {_spread(row)}." for row in self.rows),
            *(f"Before any retraining, {names}: {said}." for said, names in self._when_cut().items()),
            f"One FLOP is {how.flop}. One MB is a million bytes.",
        ]

    def _fastest(self) -> list[str]:
        """What runs the models fastest, where there is a choice."""
        if len(self.rows[0].latency_ms) == 1:
            return []
        found: dict[str, list[str]] = {}
        for row in self.rows:
            found.setdefault(f" {text.SAME} ".join(_title(mode) for mode in row.fastest()), []).append(row.name)
        return [f"Fastest: {'; '.join(f'{how} for {_listed(names)}' for how, names in found.items())}."]

    def _when_cut(self) -> dict[str, str]:
        """What a cut cost, in words -> the models that it was made for."""
        said: dict[str, str] = {}
        for row in self.rows:
            if row.joint is not None:
                line = row.joint.describe()
                said[line] = f"{said[line]} and {row.name}" if line in said else row.name
        return said


def _table(lines: Sequence[Sequence[str]]) -> Table:
    """The first line is the header."""
    table = Table(box=box.SIMPLE_HEAD)
    for i, title in enumerate(lines[0]):
        table.add_column(Text(title), justify="left" if i == 0 else "right", overflow="fold")
    for cells in lines[1:]:
        table.add_row(*map(Text, cells))
    return table


def _title(mode: Mode) -> str:
    return MODES[mode].title


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _cells(rows: Sequence[ComparisonRow]) -> Iterator[list[str]]:
    first = rows[0]
    metrics = dict.fromkeys(row.metric.name for row in rows if row.metric is not None)
    yield [
        "model",
        "parameters",
        "FLOPs",
        "weights file",
        *(f"latency, {_title(mode)}" for mode in first.latency_ms),
        *([", ".join(metrics)] if metrics else []),
    ]
    for row in rows:
        yield [
            row.name,
            _cell(row.parameters, first.parameters, text.count, row is first),
            _cell(row.flops, first.flops, text.count, row is first),
            _cell(row.file_bytes, first.file_bytes, text.megabytes, row is first),
            *(_latency(row, first, mode) for mode in first.latency_ms),
            *([] if row.metric is None else [f"{row.metric.value:.4f}" + _metric_change(row.metric, first.metric)]),
        ]


def _cell(value: float, before: float, show: Callable[[float], str], is_first: bool) -> str:
    return show(value) if is_first or not before else f"{show(value)} ({text.change(value, before)})"


def _latency(row: ComparisonRow, first: ComparisonRow, mode: Mode) -> str:
    if row is not first and row.as_fast_as(first, mode):
        return f"{text.milliseconds(row.latency_ms[mode])} ({text.SAME})"
    return _cell(row.latency_ms[mode], first.latency_ms[mode], text.milliseconds, row is first)


def _metric_change(metric: MetricValue, first: MetricValue | None) -> str:
    if first is None or metric is first or metric.name != first.name:
        return ""
    error = "" if metric.error is None else f" ± {metric.error:.4f}"
    return f" ({text.difference(metric.value, first.value)}{error})"


def _spread(row: ComparisonRow) -> str:
    parts = []
    for mode, spread in row.latency_spread_ms.items():
        low, high = (text.milliseconds(value).removesuffix(" ms") for value in spread)
        parts.append(f"{low}–{high} ms with {_title(mode)}")
    return _listed(parts)


def _escaped(cells: Sequence[str]) -> list[str]:
    return [cell.replace("|", r"\|") for cell in cells]
