"""Searches in processes of their own, since an operation of Paddle's may kill or hang one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from paddleprune.console import progress, quiet
from paddleprune.testing.fuzz.check import Tally
from paddleprune.testing.fuzz.search import Failure, Told, search

_CHUNK = 250
_MOST_FAILURES = 5
"""Then the run stops: the rest would most likely be the same ones again."""
_PATIENCE = 120.0
"""Seconds that one network may take."""
_STARTING = 60.0
"""Seconds more for the first one: a process imports Paddle."""


@dataclass
class Report:
    """What a run found.

    Attributes:
        tally: what was checked.
        failures: what broke, minimised.
        seconds: how long it took.
    """

    tally: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        t = self.tally
        lines = [
            f"{t.networks} networks ({t.whole} with nothing to remove, {t.degenerate} more proved nothing), "
            f"{t.groups} prunable groups ({t.inexact} inexact), {t.cuts} cuts, {t.compiled} compiled "
            f"({t.fallbacks} can't be), {len(self.failures)} mismatches, "
            f"{self.seconds:.0f} s ({t.networks / max(self.seconds, 1e-9):.1f} networks a second)",
            "steps: " + ", ".join(f"{kind} {count}" for kind, count in t.kinds.most_common()),
            "protected: " + ", ".join(f"{why} {count}" for why, count in t.protected.most_common()),
            "without a rule: " + (", ".join(f"{op} {count}" for op, count in t.uncounted.most_common()) or "none"),
        ]
        for failure in self.failures:
            lines.append(f"\n{failure.symptom}\n{failure.call}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Chunk:
    """Networks that one process checks.

    Attributes:
        number: the seed.
        networks: how many.
        job: what the process runs: (seed, networks, tell).
    """

    number: int
    networks: int
    job: Callable[[int, int, Callable[[Told], object]], None] = search


class _Child:
    """A process that checks a chunk."""

    def __init__(self, chunk: Chunk) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, there = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(target=_run_chunk, args=(there, chunk), daemon=True)
        self.process.start()
        there.close()
        self.chunk, self.done, self.latest = chunk, 0, "# before the first network"
        self.since = time.monotonic() + _STARTING

    def late(self) -> bool:
        """Has it been with one network for too long?"""
        return time.monotonic() - self.since > _PATIENCE

    def end(self) -> str | None:
        """Make sure that it is over; what was wrong with it."""
        late = self.late()
        if late:
            self.process.kill()
        self.process.join()
        self.connection.close()
        if late:
            return f"not done after {_PATIENCE:.0f} seconds; not minimised"
        code = self.process.exitcode
        return f"the process died with code {code}; not minimised" if code else None


def _run_chunk(there: Connection, chunk: Chunk) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Paddle's kernels print there
    quiet()  # a repair's bars
    chunk.job(chunk.number, chunk.networks, there.send)


def run(networks: int = 300, seed: int = 0, jobs: int = 1) -> Report:
    """Check random networks; the same seed gives the same networks, whatever `jobs` is.

    Args:
        networks: how many.
        seed: of everything random.
        jobs: how many processes at a time.

    Returns:
        What was checked and what broke, each failure minimised.
    """
    sizes = [min(_CHUNK, networks - i) for i in range(0, networks, _CHUNK)]
    return run_chunks([Chunk(seed * 100_003 + i * 101, size) for i, size in enumerate(sizes)], jobs)


def run_chunks(chunks: list[Chunk], jobs: int) -> Report:
    """Check chunks of networks, each in a process; what a chunk leaves after a failure is checked by another one."""
    start, report = time.perf_counter(), Report()
    waiting, children = deque(chunks), dict[Connection, _Child]()
    with progress("fuzz", sum(chunk.networks for chunk in chunks)) as bar:
        try:
            while children or (waiting and len(report.failures) < _MOST_FAILURES):
                while waiting and len(children) < jobs and len(report.failures) < _MOST_FAILURES:
                    child = _Child(waiting.popleft())
                    children[child.connection] = child
                wait(list(children), timeout=1.0)
                for child in list(children.values()):
                    checked = report.tally.networks
                    if not _listen(child, report):
                        del children[child.connection]
                        waiting.extend(_rest(child))
                    if report.tally.networks > checked:
                        bar.advance(report.tally.networks - checked, f"{len(report.failures)} mismatches")
        finally:
            for child in children.values():
                child.process.kill()
    report.seconds = time.perf_counter() - start
    return report


def _listen(child: _Child, report: Report) -> bool:
    """Take what a process has to tell; is it still at work?"""
    try:
        while child.connection.poll():
            _take(child, child.connection.recv(), report)
        if not child.late():
            return True
    except (EOFError, ConnectionError):
        pass
    symptom = child.end()
    if symptom is not None:
        _take(child, Failure(child.latest, symptom), report)
    return False


def _take(child: _Child, said: Told, report: Report) -> None:
    child.since = time.monotonic()
    if isinstance(said, str):
        child.latest = said
        return
    if isinstance(said, Failure):
        known = {failure.call for failure in report.failures}
        report.failures += [said] if said.call not in known else []
        said = Tally(networks=1)
    child.latest = f"# while drawing the network after\n{child.latest}"
    child.done += said.networks + said.degenerate
    report.tally.add(said)


def _rest(child: _Child) -> list[Chunk]:
    """What a chunk that ended early has left."""
    left = child.chunk.networks - child.done
    return [Chunk(child.chunk.number + 1, left, child.chunk.job)] if 0 < left < child.chunk.networks else []
