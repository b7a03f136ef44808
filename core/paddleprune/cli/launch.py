"""The same command in several processes, which train together: `train --ranks N`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import typer

from paddleprune.cli.interrupts import heed, received
from paddleprune.console import console
from paddleprune.errors import WorkerError
from paddleprune.launched import end_with_parent

_SERVE = "from paddleprune.cli.launch import serve; serve()"
_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_TO_SAY_WHY = 5.0
"""A fault that all ranks find is said by the first one; the others may find it sooner."""
_SECONDS_TO_STOP = 30.0


@dataclass(frozen=True)
class _Rank:
    """A process, and the file with what it says; None for the first one, which speaks to the person itself."""

    number: int
    process: subprocess.Popen[bytes]
    said: Path | None

    @property
    def failed(self) -> bool:
        return self.process.poll() not in (None, 0)


def launch(count: int) -> None:
    """Give this process's command to so many processes on this machine, and wait until all are done.

    Raises:
        WorkerError: one of them failed, and the first one didn't say why; all have ended.
        typer.Exit: the first one did, or was told to stop.
    """
    heed()
    with _started(count) as ranks:
        try:
            while any(rank.process.poll() is None for rank in ranks):
                failed = next((rank for rank in ranks if rank.failed), None)
                if failed is not None:
                    _end(failed, ranks[0])
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        except KeyboardInterrupt:
            ranks[0].process.send_signal(received[-1])
            code = _wait(ranks[0], _SECONDS_TO_STOP)
            if code is None:
                raise
            raise typer.Exit(code) from None
        for rank in ranks:
            if rank.failed:
                _end(rank, ranks[0])


def _end(failed: _Rank, first: _Rank) -> NoReturn:
    code = failed.process.returncode
    if code > 0 and _wait(first, _SECONDS_TO_SAY_WHY):
        failed, code = first, first.process.returncode
    if failed is first and code > 0:
        raise typer.Exit(code)
    why = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"failed: {_last_words(failed)}"
    raise WorkerError(f"rank {failed.number} {why}; the same command goes on after the last epoch that was saved")


def _wait(rank: _Rank, seconds: float) -> int | None:
    with suppress(subprocess.TimeoutExpired):
        return rank.process.wait(seconds)
    return None


def _last_words(rank: _Rank) -> str:
    lines = rank.said.read_text("utf-8", "replace").strip().splitlines() if rank.said is not None else []
    return lines[-1].removeprefix("error: ") if lines else f"exit code {rank.process.returncode}"


@contextmanager
def _started(count: int) -> Iterator[Sequence[_Rank]]:
    """The processes; none is left afterwards."""
    ranks: list[_Rank] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            ends = ",".join(f"127.0.0.1:{port}" for port in _free_ports(count))
            for number in range(count):
                said = Path(folder) / f"rank_{number}" if number else None
                ranks.append(_Rank(number, _start(number, count, ends, said), said))
            yield ranks
        finally:
            for rank in ranks:
                rank.process.kill()
            for rank in ranks:
                rank.process.wait()
            console().show_cursor()  # a bar that was killed has hidden it


def _start(number: int, count: int, ends: str, said: Path | None) -> subprocess.Popen[bytes]:
    """A process with the variables that Paddle's own launcher gives. Ctrl-C doesn't reach it."""
    environment = {
        "PADDLE_TRAINER_ID": str(number),
        "PADDLE_TRAINERS_NUM": str(count),
        "PADDLE_TRAINER_ENDPOINTS": ends,
        "PADDLE_CURRENT_ENDPOINT": ends.split(",")[number],
    }
    command = [sys.executable, "-c", _SERVE, *sys.argv[1:]]
    out, err = (sys.stdout, sys.stderr) if said is None else (subprocess.DEVNULL, said.open("wb"))
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    finally:
        if said is not None:
            err.close()


def _free_ports(count: int) -> list[int]:
    """Ports that nothing uses now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def serve() -> None:
    """The life of such a process: the command, as long as there is somebody who watches."""
    from paddleprune.cli import main

    end_with_parent()
    main()
