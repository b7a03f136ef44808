"""What measures groups elsewhere: a few workers that each hold a network and its data, and are given groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from paddleprune.sensitivity.measuring.measurer import DataMeasurer, Known, Scores
from paddleprune.sensitivity.measuring.scores import Baseline

Make: TypeAlias = Callable[[], DataMeasurer]
"""Makes a measurer, where the worker that uses it is; it must be picklable."""
Unit: TypeAlias = dict[str, Known]
"""Groups that one worker measures in one go."""


class Worker(Protocol):
    """Measures what it is given, one unit after the other."""

    @property
    def unit(self) -> Unit:
        """What it is at; empty where it is at nothing."""

    @property
    def free(self) -> bool:
        """Can it be given a unit now?"""

    def give(self, unit: Unit, baseline: float, dense: Baseline) -> None:
        """Let it measure these groups.

        Args:
            unit: the groups.
            baseline: the dense network's metric, as the table has it.
            dense: what was found of the dense network, which the worker then needn't run.
        """

    def hear(self) -> Scores | None:
        """What it found, which may be nothing; None if it is dead.

        Raises:
            PaddlePruneError: the one that it ended with.
        """

    def end(self) -> None:
        """Make sure that it is over; it may be already."""


class Executor(Protocol):
    """Where workers are."""

    count: int
    """How many there are at a time."""

    def open(self, imports: str) -> AbstractContextManager[None]:
        """While open, workers can be started; in the end all of them are over.

        Args:
            imports: the module that a worker imports first. As many as there may be begin with that at once, before
                they are started.
        """

    def start(self, make: Make) -> Worker:
        """One that measures with what `make` gives."""

    def heard(self, workers: Sequence[Worker]) -> Sequence[Worker]:
        """Wait until some of these workers, none of which is free, have something to tell."""

    def interrupt(self, workers: Sequence[Worker]) -> None:
        """Let them keep what they have begun, where they can, and end."""
