"""Groups measured by several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias

from paddleprune.console import progress, say
from paddleprune.errors import PaddlePruneError, WorkerError
from paddleprune.measure.machine import cpu_threads, limit_threads
from paddleprune.sensitivity.measuring.measurer import Known, Measurer, Scores

Make: TypeAlias = Callable[[], Measurer]
"""Makes a measurer, in the process that will use it; it must be picklable."""
Unit: TypeAlias = dict[str, Known]
"""Groups that one process measures in one go."""
_TRIES = 2
_SECONDS_TO_END = 5.0
"""That interrupted processes have to keep what they have begun."""


class WorkerMeasurer:
    """Deals out groups to processes, each with its share of the threads.

    A process that dies costs what it had not yet told; another one tries that once more.

    Args:
        workers: how many processes.
        make: makes each process's measurer.
        dense: gives the baseline, in this process.
        together: whether a process gets all its groups at once, as a time budget wants it, or one after the other.
    """

    def __init__(self, workers: int, make: Make, dense: Measurer, *, together: bool) -> None:
        self._workers, self._make, self._dense, self._together = workers, make, dense, together

    def baseline(self) -> float:
        """The dense network's primary metric."""
        return self._dense.baseline()

    def measure(self, work: Mapping[str, Known], baseline: float) -> Generator[Scores, None, None]:
        """Measure groups, in any order.

        Raises:
            WorkerError: a process died twice at the same groups; the others have been measured.
        """
        waiting, children = deque(self._units(work)), dict[Connection, _Child]()
        tries: dict[str, int] = {}
        lost: list[str] = []
        threads = max(1, cpu_threads() // self._workers)
        with progress("analyze", len(work)) as bar, _threads(threads):
            try:
                while waiting or any(child.unit for child in children.values()):
                    while waiting and len(children) < self._workers:
                        child = _Child(self._make, baseline, threads)
                        children[child.connection] = child
                    for child in children.values():
                        if waiting and not child.unit:
                            child.give(waiting.popleft())
                    for connection in wait([c.connection for c in children.values() if c.unit]):
                        child = children[connection]  # type: ignore[index]
                        said = child.hear()
                        if said is None:
                            del children[child.connection]
                            again, gone = _sorted_out(child.end(), tries)
                            waiting.extend([again] if again else [])
                            lost += gone
                        else:
                            bar.advance(len({name for name, _ in said}), next(iter(said), ("",))[0])
                            yield said
            except KeyboardInterrupt:
                for child in children.values():
                    child.interrupt()
                deadline = time.monotonic() + _SECONDS_TO_END
                for child in children.values():
                    child.process.join(max(0.0, deadline - time.monotonic()))
                raise
            finally:
                for child in children.values():
                    child.process.kill()
                    child.process.join()
        if lost:
            raise WorkerError(
                f"a process died twice while it measured {', '.join(lost)}; everything else is in the table. "
                "Run the same command with fewer workers, or a smaller batch_size if memory ran out"
            )

    def _units(self, work: Mapping[str, Known]) -> list[Unit]:
        names = list(work)
        if not self._together:
            return [{name: work[name]} for name in names]
        shares = [names[i :: self._workers] for i in range(self._workers)]
        return [{name: work[name] for name in share} for share in shares if share]


class _Child:
    """A process that measures what it is given."""

    def __init__(self, make: Make, baseline: float, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, there = context.Pipe()
        self.process = context.Process(target=_work, args=(there, make, baseline, threads), daemon=True)
        with _uninterrupted():
            self.process.start()
        there.close()
        self.unit: Unit = {}

    def give(self, unit: Unit) -> None:
        """Let it measure these groups."""
        self.unit = unit
        self.connection.send(unit)

    def hear(self) -> Scores | None:
        """What it found; None if it is dead.

        Raises:
            PaddlePruneError: the one that it ended with.
        """
        try:
            said = self.connection.recv()
        except (EOFError, ConnectionError):
            return None
        if isinstance(said, PaddlePruneError):
            raise said
        if said is None:
            self.unit = {}
            return {}
        scores: Scores = said
        return scores

    def interrupt(self) -> None:
        """Let it keep what it has begun, and end."""
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, signal.SIGINT)

    def end(self) -> Unit:
        """Make sure that it is over; what it was at."""
        self.process.kill()
        self.process.join()
        self.connection.close()
        return self.unit


def _sorted_out(unit: Unit, tries: dict[str, int]) -> tuple[Unit, list[str]]:
    """What of a dead process's groups is tried again, and which are given up."""
    for name in unit:
        tries[name] = tries.get(name, 0) + 1
    gone = [name for name in unit if tries[name] >= _TRIES]
    say(f"a process died while it measured {', '.join(unit)}{'' if gone else '; they are measured again'}")
    return {name: known for name, known in unit.items() if name not in gone}, gone


def _work(there: Connection, make: Make, baseline: float, threads: int) -> None:
    """The life of a process: make a measurer, then measure what comes in."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Paddle's kernels print there
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads(threads)
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):
        try:
            measurer = make()
            signal.signal(signal.SIGINT, _once)
            while True:
                for scores in measurer.measure(there.recv(), baseline):
                    there.send(scores)
                there.send(None)
        except PaddlePruneError as error:
            there.send(error)


def _once(number: int, frame: Any) -> None:
    """Interrupt, and don't be interrupted again while what was begun is kept."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    """A parent that is killed can't end its processes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A process that is started meanwhile doesn't heed Ctrl-C until it says so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """While open, Paddle uses so many threads in each process that is started: it asks when it is imported."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
