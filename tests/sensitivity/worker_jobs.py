"""What worker processes can be told to measure with, in a module that they can import."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import small
from test_adaptive import IDENTITY, Counted, Drawn, Right

from paddleprune.api.measuring import measure_with
from paddleprune.engines import open_engine
from paddleprune.errors import DataError
from paddleprune.interfaces import Array
from paddleprune.machine.cpu import cpu_threads
from paddleprune.measure.evaluation import Batches
from paddleprune.sensitivity import DataMeasurer, Processes, Question, WorkerMeasurer, sweep
from paddleprune.sensitivity.masked.evaluators import Outputs
from paddleprune.sensitivity.measuring.kept import Kept


def measurer() -> DataMeasurer:
    return _with(Drawn(6))


def _with(networks: Drawn) -> DataMeasurer:
    return DataMeasurer(networks, Right(), Batches(Counted(), 25), Question())


class _Spared(Drawn):
    """Fails when the dense network is run."""

    def _run(self, inputs: tuple[Array, ...], shares: Sequence[Mapping[str, float]]) -> Iterator[Outputs]:
        if {} in shares:
            raise DataError("a worker ran the dense network")
        return super()._run(inputs, shares)


def spared() -> DataMeasurer:
    return _with(_Spared(6))


def in_other_batches() -> DataMeasurer:
    return DataMeasurer(Drawn(6), Right(), Batches(Counted(), 20), Question())


class _Dies(Drawn):
    """Its process dies at the fourth group, unless a file says that one has died before."""

    mark: Path | None = None

    def _run(self, inputs: tuple[Array, ...], shares: Sequence[Mapping[str, float]]) -> Iterator[Outputs]:
        if "g3" in shares[0] and (self.mark is None or not self.mark.exists()):
            if self.mark is not None:
                self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._run(inputs, shares)


def dies() -> DataMeasurer:
    return _with(_Dies(6))


def dies_once(mark: Path) -> DataMeasurer:
    networks = _Dies(6)
    networks.mark = mark
    return _with(networks)


def fails() -> DataMeasurer:
    raise DataError("the disk is gone")


def counts_threads(expected: int) -> DataMeasurer:
    if cpu_threads() != expected:
        raise DataError(f"{cpu_threads()} threads")
    return measurer()


def real() -> DataMeasurer:
    layer, graph, data = small.parts()
    engine = open_engine("native", layer, graph, "l1")
    return measure_with(engine, small.Accuracy(), Batches(data, 16), Question())


class _Slow(Drawn):
    """Takes a second for a group."""

    def _run(self, inputs: tuple[Array, ...], shares: Sequence[Mapping[str, float]]) -> Iterator[Outputs]:
        time.sleep(0.07 if shares[0] else 0)
        return super()._run(inputs, shares)


def slow(file: Path) -> DataMeasurer:
    from test_interrupted import Keeps

    return DataMeasurer(_Slow(6), Keeps(), Batches(Counted(), 25), Question(), None, Kept.beside(file, IDENTITY))


if __name__ == "__main__":
    from functools import partial

    from worker_jobs import slow as make  # under the name that the processes know

    where, executor = Path(sys.argv[1]), Processes(2)
    with executor.open("worker_jobs"):
        workers = WorkerMeasurer(executor, partial(make, where), measurer(), together=False)
        sweep(Drawn(6).groups, workers, IDENTITY, save_file=where)
