"""Workers that are processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection, wait
from typing import Any

from paddleprune.console import quiet
from paddleprune.errors import PaddlePruneError
from paddleprune.machine.cpu import cpu_threads, limit_threads
from paddleprune.sensitivity.measuring.executor import Make, Unit, Worker
from paddleprune.sensitivity.measuring.measurer import Scores
from paddleprune.sensitivity.measuring.scores import Baseline

_SECONDS_TO_END = 5.0
"""That interrupted processes have to keep what they have begun."""


class Processes:
    """So many processes; they share the CPU's threads."""

    def __init__(self, count: int) -> None:
        self.count, self._threads = count, max(1, cpu_threads() // count)
        self._imports, self._begun, self._spare = "", list[_Child](), list[_Child]()

    @contextmanager
    def open(self, imports: str) -> Iterator[None]:
        """While open, processes import what they need, and can be started."""
        self._imports = imports
        try:
            self._spare = [self._begin() for _ in range(self.count)]
            yield
        finally:
            for child in self._begun:
                child.end()
            self._begun, self._spare = [], []

    def _begin(self) -> _Child:
        child = _Child(self._imports, self._threads)
        self._begun.append(child)
        return child

    def start(self, make: Make) -> Worker:
        """A process of its own."""
        child = self._spare.pop() if self._spare else self._begin()
        child.send(make)
        return child

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

    def __init__(self, imports: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, there = context.Pipe()
        self.process = context.Process(target=_work, args=(there, imports, threads), daemon=True)
        with _uninterrupted(), _threads_of_paddle(threads):
            self.process.start()
        there.close()
        self.unit: Unit = {}

    @property
    def free(self) -> bool:
        return not self.unit

    def send(self, what: Any) -> None:
        """Say something, unless it is dead, which it tells when it is heard."""
        with suppress(ConnectionError):
            self.connection.send(what)

    def give(self, unit: Unit, baseline: float, dense: Baseline) -> None:
        self.unit = unit
        self.send((unit, baseline, dense))

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


def _work(there: Connection, imports: str, threads: int) -> None:
    """The life of a process: import, make a measurer, then measure what comes in."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Paddle's kernels print there
    quiet()  # one bar for all is the command's
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads(threads)
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):
        try:
            import_module(imports)
            measurer = there.recv()()
            signal.signal(signal.SIGINT, _once)
            while True:
                unit, baseline, dense = there.recv()
                measurer.take_over(dense)
                for scores in measurer.measure(unit, baseline):
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
def _threads_of_paddle(count: int) -> Iterator[None]:
    """Paddle uses so many threads in a process that is started meanwhile: it asks when it is imported."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
