"""Times of layers, kept for the next time that somebody asks on this machine."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from paddleprune.console import say
from paddleprune.errors import PaddlePruneError, SaveError, TableError
from paddleprune.machine.cpu import cpu_name
from paddleprune.runtimes.modes import Runtime
from paddleprune.signed import Signed, read_signed, write_signed

_EVERY = 10.0
"""Seconds between two writings of the file."""


class _Kept(Signed):
    signed_since: ClassVar[int] = 1
    way_out: ClassVar[str] = "remove the file"

    schema_version: int = 1
    machine: str
    times: dict[str, float]


class TimeCache:
    """Times by name, of one CPU, runtime, version of it and number of threads.

    Args:
        runtime: what is timed.
        threads: CPU threads.
        folder: where the files lie; by default the user's cache.
    """

    def __init__(self, runtime: Runtime, threads: int, folder: Path | None = None) -> None:
        self._machine = f"{cpu_name()}, {runtime.describe()}, {threads} threads"
        digest = hashlib.sha256(self._machine.encode()).hexdigest()[:16]
        self.file = (folder or _cache_folder()) / f"layer_times_{digest}.json"
        self._times, self._saved = self._read(), time.monotonic()

    def get(self, name: str, measure: Callable[[], float]) -> float:
        """The time of that name; measured if it isn't known."""
        if name not in self._times:
            self._times[name] = measure()
            if time.monotonic() - self._saved > _EVERY:
                self.save()
        return self._times[name]

    def __contains__(self, name: str) -> bool:
        return name in self._times

    def save(self) -> None:
        """Keep what is known; where that can't be, it is said, and measured anew the next time."""
        self._saved = time.monotonic()
        others = self._read()
        try:
            write_signed(self.file, _Kept(machine=self._machine, times={**others, **self._times}))
        except SaveError as error:
            say(f"times of layers aren't kept: {error}")

    def _read(self) -> dict[str, float]:
        if not self.file.exists():
            return {}
        try:
            return dict(read_signed(self.file, _Kept, TableError).times)
        except PaddlePruneError as error:
            say(f"times of layers are measured anew: {error}")
            return {}


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paddleprune"
