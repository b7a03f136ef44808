"""How long one image takes on the CPU; pre- and post-processing excluded."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from paddleprune.console import progress
from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array
from paddleprune.machine.cpu import cpu_threads
from paddleprune.runtimes.modes import MODES, Mode, Session
from paddleprune.specs import Contract

_TURNS = 10
_WARM_UP_RUNS, _WARM_UP_SECONDS = 5, 0.2


class Latency(Contract):
    """Milliseconds that one run takes.

    Attributes:
        median_ms: half of the runs were faster.
        p10_ms: a tenth of the runs were faster.
        p90_ms: nine tenths of the runs were faster.
        runs: how many were timed.
        threads: CPU threads of the math library.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int
    threads: int


def measure_latency(
    models: Mapping[str, Path],
    *,
    threads: int | None = None,
    runs: int = 50,
    seconds: float = 1.0,
    modes: Sequence[Mode] = ("onednn_on", "onednn_off"),
) -> dict[str, dict[Mode, Latency]]:
    """Time exported models, by default each in Paddle Inference with oneDNN on and off.

    The models take turns, forwards and backwards, so that a machine that is busy for a while is fair to all.
    The first run of a turn isn't counted.

    Args:
        models: name -> path without suffix of the model, written for these modes and a number of samples a run.
        threads: CPU threads; by default as many as there are cores.
        runs: the least number of runs that are timed, of each model in each mode.
        seconds: the least time that they take together.
        modes: how they are run.

    Returns:
        Name -> mode -> latency of one run.

    Raises:
        ConfigError: a model was exported for any number of images.
    """
    threads = threads or cpu_threads()
    runners = [_Runner(name, mode, path, threads) for name, path in models.items() for mode in modes]
    turns = [max(runs, runner.runs_in(seconds)) for runner in runners]
    with progress("latency", _TURNS * len(runners)) as bar:
        for turn in range(_TURNS):
            for runner, total in list(zip(runners, turns, strict=True))[:: 1 if turn % 2 == 0 else -1]:
                runner.take_turn(math.ceil(total / _TURNS))
                bar.advance(note=f"{runner.name}, {runner.mode}")
    result: dict[str, dict[Mode, Latency]] = {name: {} for name in models}
    for runner in runners:
        result[runner.name][runner.mode] = runner.latency()
    return result


def fastest_of(timed: Mapping[Mode, tuple[float, float]]) -> list[Mode]:
    """The modes that run a model fastest: the best, and those that are no slower than a tenth of its runs.

    Args:
        timed: mode -> the median and the 90th percentile of its runs.

    Returns:
        The fastest first.
    """
    order = sorted(timed, key=lambda mode: timed[mode][0])
    return [mode for mode in order if mode == order[0] or timed[mode][0] <= timed[order[0]][1]]


class _Runner:
    """One model in one mode, and the times of its runs."""

    def __init__(self, name: str, mode: Mode, path: Path, threads: int) -> None:
        self.name, self.mode, self.threads = name, mode, threads
        self._times: list[float] = []
        self._session = MODES[mode].load(path, threads)
        self._images = random_inputs(self._session, path)

    def run(self) -> float:
        """Seconds of one run. The input is set first: the run may reuse its memory."""
        self._session.feed(self._images)
        start = time.perf_counter()
        self._session.run()
        return time.perf_counter() - start

    def runs_in(self, seconds: float) -> int:
        """Warm up, and say how many runs fit into some seconds."""
        start, fastest, done = time.perf_counter(), math.inf, 0
        while done < _WARM_UP_RUNS or time.perf_counter() - start < _WARM_UP_SECONDS:
            fastest = min(fastest, self.run())
            done += 1
        return math.ceil(seconds / fastest)

    def take_turn(self, runs: int) -> None:
        """Time some runs, after one that brings the model back into the caches."""
        self.run()
        self._times.extend(self.run() for _ in range(runs))

    def latency(self) -> Latency:
        """What the times say."""
        p10, median, p90 = (float(value) * 1e3 for value in np.percentile(self._times, [10, 50, 90]))
        return Latency(median_ms=median, p10_ms=p10, p90_ms=p90, runs=len(self._times), threads=self.threads)


def random_inputs(session: Session, path: Path) -> dict[str, Array]:
    """Random numbers for each input of a model that is loaded.

    Raises:
        ConfigError: it was exported for any number of samples.
    """
    if any(min(shape, default=0) < 1 for shape in session.inputs.values()):
        raise ConfigError(f"{path} was exported for any number of samples; export it with batch=1 to time one")
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape, np.float32) for name, shape in session.inputs.items()}
