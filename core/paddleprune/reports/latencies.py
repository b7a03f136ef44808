"""How long one model takes: in each runtime, with few threads and many, one sample at a time and several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from paddleprune.console import counted
from paddleprune.measure.cold import ColdStart
from paddleprune.measure.latency import Latency, fastest_of
from paddleprune.reports import format as text
from paddleprune.runtimes.modes import MODES, Mode
from paddleprune.specs import Contract


class LatencyRow(Contract):
    """One way to run the model.

    Attributes:
        mode: the runtime, and whether oneDNN is on.
        batch: samples a run.
        latency: of one run, whatever its samples.
        start: what the first run costs.
    """

    mode: Mode
    batch: int
    latency: Latency
    start: ColdStart


class Latencies(Contract):
    """All the ways to run one model.

    Attributes:
        cpu: what ran it.
        runtimes: libraries, with their versions.
        rows: by threads, batch and runtime.
    """

    cpu: str
    runtimes: tuple[str, ...]
    rows: tuple[LatencyRow, ...]

    HEAD: ClassVar = (
        "runtime",
        "threads",
        "batch",
        "latency",
        "10th to 90th percentile",
        "load",
        "first run",
        "memory",
    )

    def cells(self) -> Iterator[tuple[str, ...]]:
        """Every row as people read it, in the order of `HEAD`."""
        for row in self.rows:
            ms, start = row.latency, row.start
            yield (
                MODES[row.mode].title,
                str(ms.threads),
                str(row.batch),
                text.milliseconds(ms.median_ms),
                f"{text.milliseconds(ms.p10_ms).removesuffix(' ms')}–{text.milliseconds(ms.p90_ms)}",
                text.milliseconds(start.load_ms),
                text.milliseconds(start.first_ms),
                "?" if start.memory_bytes is None else text.megabytes(start.memory_bytes),
            )

    def fastest(self) -> Iterator[str]:
        """What is fastest, for each number of threads and samples; and what isn't clearly slower."""
        for threads, batch in dict.fromkeys((row.latency.threads, row.batch) for row in self.rows):
            timed = {
                row.mode: (row.latency.median_ms, row.latency.p90_ms)
                for row in self.rows
                if (row.latency.threads, row.batch) == (threads, batch)
            }
            titles = f" {text.SAME} ".join(MODES[mode].title for mode in fastest_of(timed))
            yield f"fastest with {counted(threads, 'thread')}, {counted(batch, 'sample')} a run: {titles}"
