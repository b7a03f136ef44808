"""Workers that are actors of a Ray cluster."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from paddleprune.console import say
from paddleprune.dependencies import require
from paddleprune.errors import ConfigError, PaddlePruneError
from paddleprune.machine.cpu import limit_threads
from paddleprune.sensitivity.measuring.executor import Make, Unit, Worker
from paddleprune.sensitivity.measuring.measurer import DataMeasurer, Scores
from paddleprune.sensitivity.measuring.scores import Baseline

_SECONDS_OF_PATIENCE = 30.0
"""After which it is said that no actor has been started yet."""
_SECONDS_TO_CONNECT = 10.0


class RayActors:
    """So many actors, each on one CPU of the cluster, wherever that is: their number doesn't change what they find.

    An actor works in the folder that this process works in, so that relative paths name the same files. It can be given
    groups once the cluster has a CPU for it, and it has loaded its network.

    Args:
        count: how many.
        address: of the cluster, as `ray.init` takes it; None for a cluster on this machine alone. A cluster that this
            process is connected to already is taken as it is.

    Raises:
        DependencyError: Ray isn't installed.
        ConfigError: nothing answers at the address.
    """

    def __init__(self, count: int, address: str | None = None) -> None:
        self._ray = require("ray", 'executor="ray"')
        self.count, self._address, self._patient = count, address, True
        self._sent: Any = None
        self._imports, self._begun, self._spare = "", list[_Handle](), list[_Handle]()
        if address is not None:
            _knock(address)

    @contextmanager
    def open(self, imports: str) -> Iterator[None]:
        """Connected to the cluster, which begins actors as soon as a CPU is free.

        Raises:
            ConfigError: there is none.
        """
        self._imports = imports
        with self._connected():
            try:
                self._spare = [self._begin() for _ in range(self.count)]
                yield
            finally:
                for handle in self._begun:
                    handle.end()
                self._begun, self._spare, self._sent = [], [], None

    @contextmanager
    def _connected(self) -> Iterator[None]:
        if self._ray.is_initialized():
            yield
            return
        try:
            with _sigterm_kept():
                self._ray.init(self._address, log_to_driver=False, logging_level="error")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _no_cluster(self._address, error) from error
        try:
            yield
        finally:
            self._ray.shutdown()

    def _begin(self) -> _Handle:
        handle = _Handle(self._ray, self._imports)
        self._begun.append(handle)
        return handle

    def start(self, make: Make) -> Worker:
        """An actor, as soon as a CPU is free."""
        if self._sent is None:
            self._sent = self._ray.put(make)  # once, whatever data it carries
        handle = self._spare.pop() if self._spare else self._begin()
        handle.load(self._sent)
        return handle

    def heard(self, workers: Sequence[Worker]) -> Sequence[Worker]:
        """Those that have started, found something, or died."""
        by_coming = {worker.coming: worker for worker in workers if isinstance(worker, _Handle)}
        while True:
            found, _ = self._ray.wait(list(by_coming), timeout=_SECONDS_OF_PATIENCE)
            if found:
                return [by_coming[one] for one in found]
            if self._patient and not any(worker.unit for worker in workers):
                say("waiting for Ray to start an actor: has the cluster a free CPU?")
                self._patient = False

    def interrupt(self, workers: Sequence[Worker]) -> None:
        """They keep nothing: what is begun is lost when they end."""


def _knock(address: str) -> None:
    """Look whether anything is there: Ray itself tries for minutes. Words such as `auto` are left to it.

    Raises:
        ConfigError: nothing is.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_CONNECT).close()
        except (OSError, OverflowError) as error:
            raise _no_cluster(address, error) from error


def _no_cluster(address: str | None, error: Exception) -> ConfigError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ConfigError(f"there is no Ray cluster at {address} ({said}); `ray start --head` starts one here")


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """What SIGTERM does stays, whatever Ray sets: a table that is being measured is left whole."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


class _Handle:
    """An actor, from here."""

    def __init__(self, ray: Any, imports: str) -> None:
        self._ray, self.unit, self._ready = ray, Unit(), False
        self._actor = ray.remote(num_cpus=1, max_restarts=0)(_Actor).remote(str(Path.cwd()), imports)
        self.coming: Any = None

    def load(self, sent: Any) -> None:
        """Let it make its measurer."""
        self.coming = self._actor.load.remote(sent)

    @property
    def free(self) -> bool:
        return self._ready and not self.unit

    def give(self, unit: Unit, baseline: float, dense: Baseline) -> None:
        self.unit = unit
        self.coming = self._actor.measure.options(num_returns="streaming").remote(unit, baseline, dense)

    def hear(self) -> Scores | None:
        try:
            said = self._ray.get(next(self.coming) if self._ready else self.coming)
        except StopIteration:
            self.unit = {}
            return {}
        except self._ray.exceptions.RayError as error:
            lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            say(f"an actor of Ray died: {lines[-1].strip()}")
            return None
        if isinstance(said, PaddlePruneError):
            raise said
        self._ready = True
        scores: Scores = said
        return scores

    def end(self) -> None:
        self._ray.kill(self._actor)


class _Actor:
    """What is on the cluster: a network, its data, and what measures with them."""

    def __init__(self, folder: str, imports: str) -> None:
        self._folder = folder
        self._measurer: DataMeasurer | None = None
        import_module(imports)

    def load(self, make: Make) -> Scores | PaddlePruneError:
        """Make the measurer; nothing, or what is wrong."""
        limit_threads(1)
        try:
            self._enter()
            self._measurer = make()
        except PaddlePruneError as error:
            return error
        return {}

    def measure(self, unit: Unit, baseline: float, dense: Baseline) -> Generator[Scores | PaddlePruneError, None, None]:
        """Scores as they are found, and what went wrong at last."""
        assert self._measurer is not None
        self._measurer.take_over(dense)
        try:
            yield from self._measurer.measure(unit, baseline)
        except PaddlePruneError as error:
            yield error

    def _enter(self) -> None:
        try:
            os.chdir(self._folder)
        except OSError as error:
            raise ConfigError(
                f"{socket.gethostname()} of the Ray cluster has no folder {self._folder}; work in one that all of its "
                "nodes share, with the checkpoint and the data"
            ) from error
