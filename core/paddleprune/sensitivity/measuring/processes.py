"""Workers that are processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from paddleprune.errors import PaddlePruneError
from paddleprune.machine.cpu import cpu_threads, limit_threads
from paddleprune.sensitivity.measuring.executor import Make, Unit, Worker
from paddleprune.sensitivity.measuring.measurer import Scores

_SECONDS_TO_END = 5.0
"""That interrupted processes have to keep what they have begun."""


class Processes:
    """So many processes; they share the CPU's threads."""

    def __init__(self, count: int) -> None:
        self.count, self._threads = count, max(1, cpu_threads() // count)

    @contextmanager
    def open(self) -> Iterator[None]:
        """While open, Paddle uses so many threads in each process that is started: it asks when it is imported."""
        before = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = str(self._threads)
        try:
            yield
        finally:
            if before is None:
                del os.environ["OMP_NUM_THREADS"]
            else:
                os.environ["OMP_NUM_THREADS"] = before

    def start(self, make: Make, baseline: float) -> Worker:
        """A process of its own."""
        return _Child(make, baseline, self._threads)

    def heard(self, workers: Sequence[Worker]) -> Sequence[Worker]:
        """Those whose pipe holds something."""
        by_connection = {worker.connection: worker for worker in workers if isinstance(worker, _Child)}
        return [by_connection[connection] for connection in wait(list(by_connection))]  # type: ignore[index]

    def interrupt(self, workers: Sequence[Worker]) -> None:
        """Let them keep what they have begun, all at once, for a few seconds."""
        children = [worker for worker in workers if isinstance(worker, _Child)]
        for child in children:
            child.interrupt()
        deadline = time.monotonic() + _SECONDS_TO_END
        for child in children:
            child.process.join(max(0.0, deadline - time.monotonic()))


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

    @property
    def free(self) -> bool:
        return not self.unit

    def give(self, unit: Unit) -> None:
        self.unit = unit
        self.connection.send(unit)

    def hear(self) -> Scores | None:
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

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


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
