"""A training in a process of its own, beside what this process does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic_core import to_json

from paddleprune.api.train import train
from paddleprune.console import say
from paddleprune.errors import PaddlePruneError, WorkerError
from paddleprune.files import saving
from paddleprune.launched import end_with_parent
from paddleprune.machine.cpu import cpu_threads, limit_threads

_SERVE = "from paddleprune.api.background import serve; serve()"
_SECONDS_BETWEEN_LOOKS = 0.5


class BackgroundTraining:
    """A call of `train` that runs while the block does; it ends when the block or this process does.

    A training keeps one core busy; meanwhile this process leaves it that.

    Args:
        log: gets what the training says.
        call: the arguments of `train`, which go there as JSON: data are folders or dataset configs.

    Raises:
        SaveError: `log` can't be written.
    """

    def __init__(self, log: Path, **call: Any) -> None:
        self._log, self._call = log, to_json(call)

    def __enter__(self) -> BackgroundTraining:
        command = [sys.executable, "-c", _SERVE]
        with saving(self._log), self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        assert self._process.stdin is not None  # it is a pipe
        self._pipe = self._process.stdin
        with suppress(BrokenPipeError):  # it died at once; `wait` says why
            self._pipe.write(self._call + b"\n")
            self._pipe.flush()  # and stays open: its end is the sign to stop
        self.process_id = self._process.pid
        self._threads = cpu_threads()
        limit_threads(max(1, self._threads - 1))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        limit_threads(self._threads)
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._pipe.close()

    def wait(self) -> None:
        """Until it is done; what it says meanwhile is said here, too.

        Raises:
            WorkerError: it failed.
        """
        with self._log.open(encoding="utf-8") as log:
            log.seek(0, os.SEEK_END)
            while True:
                code = self._process.poll()  # first, so that its last words are read
                for line in log:
                    say(line.rstrip())
                if code is not None:
                    break
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        if code:
            said = self._log.read_text("utf-8").strip().splitlines() or ["nothing was said"]
            raise WorkerError(f"a training ended with exit code {code}: {said[-1]} ({self._log} has all of it)")


def serve() -> None:
    """The life of the process: one training."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    call = json.loads(sys.stdin.buffer.readline())
    end_with_parent()
    try:
        train(**call)
    except PaddlePruneError as error:
        say(f"error: {error}")
        sys.exit(2)
