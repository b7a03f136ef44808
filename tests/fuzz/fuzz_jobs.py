"""What a process of the fuzzer is given in tests: it can be imported there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from paddleprune.testing.fuzz.check import Tally
from paddleprune.testing.fuzz.search import Told


def dies(number: int, networks: int, tell: Callable[[Told], object]) -> None:
    """Dies at the second network, as an operation of Paddle's may."""
    tell("check(first)")
    tell(Tally(networks=1))
    tell(f"check(second of {networks})")
    if networks > 2:
        os.kill(os.getpid(), signal.SIGKILL)
    tell(Tally(networks=networks - 1))


def hangs(number: int, networks: int, tell: Callable[[Told], object]) -> None:
    """Is never done with a network."""
    tell("check(endless)")
    signal.pause()


def never_starts(number: int, networks: int, tell: Callable[[Told], object]) -> None:
    """Hangs before it has a network."""
    signal.pause()


def dies_drawing(number: int, networks: int, tell: Callable[[Told], object]) -> None:
    """Dies between two networks."""
    tell("check(first)")
    tell(Tally(networks=1))
    os.kill(os.getpid(), signal.SIGKILL)
