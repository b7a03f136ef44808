"""What is said about each step: the progress bar, the log lines, the curves."""

from __future__ import annotations

import time
from datetime import timedelta

from paddleprune.console import Task
from paddleprune.settings import TrainSettings
from paddleprune.training.scalars import Scalars


class StepLog:
    """Reports steps.

    Args:
        settings: how often to write a line.
        steps_per_epoch: training steps in an epoch.
        epochs: how many this process has to run.
        task: the progress over all of them.
        scalars: where curves go.
    """

    def __init__(
        self, settings: TrainSettings, steps_per_epoch: int, epochs: int, task: Task, scalars: Scalars
    ) -> None:
        self._settings, self._steps, self._left = settings, steps_per_epoch, epochs * steps_per_epoch
        self._task, self._scalars = task, scalars
        self._done, self._start = 0, time.monotonic()
        self._logged, self._last = 0, self._start

    def step(self, epoch: int, number: int, loss: float, rate: float) -> None:
        """A step of an epoch, both counted from 1, is done."""
        self._done += 1
        self._task.advance(1, f"epoch {epoch} loss {loss:.4f}")
        if number % self._settings.log_interval_steps and number != self._steps:
            return
        now = time.monotonic()
        seconds = (now - self._last) / (self._done - self._logged)
        eta = timedelta(seconds=round((now - self._start) / self._done * (self._left - self._done)))
        self._logged, self._last = self._done, now
        self._task.log(
            f"epoch {epoch}/{self._settings.num_epochs} step {number}/{self._steps} "
            f"loss {loss:.4f} lr {rate:.6g} {seconds:.3f} s/step eta {eta}"
        )
        total = (epoch - 1) * self._steps + number
        self._scalars.add("train/loss", loss, total)
        self._scalars.add("train/learning_rate", rate, total)
