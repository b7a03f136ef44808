"""Groups measured by several workers at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Generator, Mapping

from paddleprune.console import progress, say
from paddleprune.errors import WorkerError
from paddleprune.sensitivity.masked.evaluators import MOST_TOGETHER
from paddleprune.sensitivity.measuring.executor import Executor, Make, Unit, Worker
from paddleprune.sensitivity.measuring.measurer import DataMeasurer, Known, Scores

_TRIES = 2


class WorkerMeasurer:
    """Deals out groups to workers.

    One that dies costs what it had not yet told; another one tries that once more.

    Args:
        executor: where the workers are, and how many; it is open.
        make: makes each worker's measurer.
        dense: measures the dense network, in this process, while the workers get ready.
        together: whether a worker gets all its groups at once, as a time budget wants it, or one after the other.
    """

    def __init__(self, executor: Executor, make: Make, dense: DataMeasurer, *, together: bool) -> None:
        self._executor, self._make, self._dense, self._together = executor, make, dense, together
        self._workers: list[Worker] = []

    def baseline(self) -> float:
        """The dense network's primary metric."""
        self._fill(self._executor.count)
        return self._dense.baseline()

    def measure(self, work: Mapping[str, Known], baseline: float) -> Generator[Scores, None, None]:
        """Measure groups, in any order.

        Raises:
            WorkerError: a worker died twice at the same groups (the others have been measured), or before any.
        """
        waiting, workers, deaths, lost = deque(self._units(work)), self._workers, _Deaths(), list[str]()
        told = set[str]()
        self._fill(self._executor.count)
        dense = self._dense.dense
        with progress("analyze", len(work)) as bar:
            try:
                while waiting or any(worker.unit for worker in workers):
                    self._fill(self._executor.count if waiting else 0)
                    for worker in workers:
                        if waiting and worker.free:
                            worker.give(waiting.popleft(), baseline, dense)
                    for worker in self._executor.heard([worker for worker in workers if not worker.free]):
                        said = worker.hear()
                        if said is None:
                            workers.remove(worker)
                            worker.end()
                            again, gone = deaths.sorted_out(worker.unit, told)
                            waiting.extend({name: known} for name, known in again.items())
                            lost += gone
                        elif said:
                            open_ = {name for (name, _), score in said.items() if not score.complete}
                            told |= {name for name, _ in said} - open_
                            bar.advance(len({name for name, _ in said}), next(iter(said))[0])
                            yield said
            except KeyboardInterrupt:
                self._executor.interrupt(workers)
                raise
        if lost:
            raise WorkerError(
                f"a process died twice while it measured {', '.join(lost)}; everything else is in the table. "
                "Run the same command with fewer workers, or a smaller batch_size if memory ran out"
            )

    def _fill(self, count: int) -> None:
        """Start workers until there are so many."""
        while len(self._workers) < count:
            self._workers.append(self._executor.start(self._make))

    def _units(self, work: Mapping[str, Known]) -> list[Unit]:
        """Where a worker gets its groups one after the other: neighbours, ever fewer, so that all end together."""
        names, count = list(work), self._executor.count
        if self._together:
            shares = [names[i::count] for i in range(count)]
            return [{name: work[name] for name in share} for share in shares if share]
        units = list[Unit]()
        while names:
            size = min(MOST_TOGETHER, -(-len(names) // (2 * count)))
            units.append({name: work[name] for name in names[:size]})
            del names[:size]
        return units


class _Deaths:
    """How often workers have died, and at what."""

    def __init__(self) -> None:
        self._tries: dict[str, int] = {}
        self._early = 0

    def sorted_out(self, unit: Unit, told: Collection[str]) -> tuple[Unit, list[str]]:
        """What of a dead worker's groups is tried again, each by itself, and which are given up.

        Args:
            unit: what it had been given.
            told: groups that it, or another one, has told to the end.

        Raises:
            WorkerError: workers die before they are given any.
        """
        if not unit:
            self._early += 1
            if self._early >= _TRIES:
                raise WorkerError("a process died twice before it measured anything; memory may have run out")
            return {}, []
        unit = {name: known for name, known in unit.items() if name not in told}
        if not unit:
            return {}, []
        for name in unit:
            self._tries[name] = self._tries.get(name, 0) + 1
        gone = [name for name in unit if self._tries[name] >= _TRIES]
        say(f"a process died while it measured {', '.join(unit)}{'' if gone else '; they are measured again'}")
        return {name: known for name, known in unit.items() if name not in gone}, gone
