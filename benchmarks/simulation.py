"""How long a sweep takes with so many workers, from what its steps cost on one: groups are dealt out one by one."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MEGABYTE = 1e6


@dataclass(frozen=True)
class Costs:
    """What the steps of a sweep cost on one thread, in seconds.

    Attributes:
        start: until a process has imported what it needs.
        open: until the network is there, and its groups are known.
        compile: until it can be run.
        decode: a sample.
        dense: a sample, through the whole network.
        groups: for each group what it costs whatever the data (it is compiled), and what a sample costs, all ratios
            together.
    """

    start: float
    open: float
    compile: float
    decode: float
    dense: float
    groups: tuple[tuple[float, float], ...]

    def sweep(self, samples: int, workers: int, *, fits: bool = True) -> float:
        """Seconds of a whole sweep.

        Args:
            samples: how many.
            workers: how many; one is the command's own process, several are processes beside it, which share a CPU for
                each worker with it.
            fits: whether the decoded samples stay in memory; else each group decodes them again.
        """
        from paddleprune.measure.evaluation import HASHED, LARGE

        once, again = (self.decode, 0.0) if fits else (0.0, self.decode)
        each = [fixed + samples * (cost + again) for fixed, cost in self.groups]
        hashed = samples if samples <= LARGE else HASHED
        opened = self.start + self.open + hashed * self.decode
        dense = self.compile + samples * (self.dense + again) + (samples - hashed) * once
        if workers == 1:
            return opened + dense + sum(each)
        started = max(opened, self.start * (1 + 1 / workers))
        ready = started + self.open + self.compile + samples * once + dense / workers
        free = [max(ready, opened + dense)] * workers  # what they find is compared with the dense network's outputs
        for seconds in each:
            heapq.heapreplace(free, free[0] + seconds)
        return max(free)

    def read(self, samples: int, workers: int, size: float, rate: float, *, fits: bool = True) -> float:
        """Seconds that a shared folder takes to hand out the images, whoever wants them.

        Args:
            samples: how many.
            workers: how many read all of them.
            size: bytes of an image.
            rate: MB that the folder gives in a second, to all together.
            fits: as for `sweep`.
        """
        times = 1 + (workers if workers > 1 else 0) + (0 if fits else len(self.groups))
        return times * samples * size / (rate * _MEGABYTE)


def measured(checkpoint: Path, data: Path, samples: int, ratios: Sequence[float], begun: float) -> Costs:
    """What the steps cost, in this process.

    Args:
        checkpoint: of the network.
        data: a folder in the task's layout.
        samples: to measure with.
        ratios: of each group.
        begun: `time.time()` when this process was asked for.
    """
    from clock import Clock

    from paddleprune.api.measuring import Job
    from paddleprune.machine.cpu import limit_threads
    from paddleprune.sensitivity import Question

    limit_threads(1)
    started = time.time() - begun
    given: dict[str, Any] = {"training": None, "criterion": "l1", "engine": "native", "batch_size": 64}
    job = Job(
        checkpoint, data, samples=samples, memory=2**32, device="cpu", question=Question(), time_budget=None, **given
    )
    opened, loaded = _timed(job.open)
    measurer, tried = _timed(lambda: job.measurer_of(opened))
    _, decoded = _timed(opened.batches.digest)
    with Clock() as clock:
        baseline, dense = _timed(measurer.baseline)
    compiled, groups = clock.seconds["compiling"], []
    for group in opened.engine.groups:
        work: dict[str, Any] = {group.name: dict.fromkeys(ratios)}
        with Clock() as clock:
            _, took = _timed(lambda work=work: list(measurer.measure(work, baseline)))
        fixed = clock.seconds["compiling"]
        groups.append((fixed, (took - fixed) / samples))
    each = (dense - compiled) / samples
    return Costs(started, loaded, tried + compiled, decoded / samples, each, tuple(groups))


def _timed(what: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    return what(), time.perf_counter() - start
