"""What a program pays that starts with a model: loading, the first run, and memory; in a process of its own.

`python -m paddleprune.measure.cold MODE PATH THREADS` prints a line of JSON.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

from paddleprune.errors import GraphError
from paddleprune.measure.latency import random_inputs
from paddleprune.runtimes.modes import MODES, Mode
from paddleprune.specs import Contract

_STATUS, _PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class ColdStart(Contract):
    """The first run of a fresh process; importing the runtime isn't counted.

    Attributes:
        load_ms: milliseconds to load the model.
        first_ms: milliseconds of the first run.
        memory_bytes: the most that both took; None where the system doesn't tell.
    """

    load_ms: float
    first_ms: float
    memory_bytes: int | None


def measure_cold(path: Path, mode: Mode, threads: int) -> ColdStart:
    """Load and run an exported model in a fresh process.

    Args:
        path: of the model, without suffix; exported for one number of samples.
        mode: what runs it.
        threads: of the CPU.

    Raises:
        GraphError: it doesn't run there.
    """
    command = [sys.executable, "-m", "paddleprune.measure.cold", mode, str(path), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise GraphError(f"{MODES[mode].library} can't run {path.name} in a process of its own: {said}")
    return ColdStart.model_validate_json(lines[-1])


def _here(path: Path, mode: Mode, threads: int) -> ColdStart:
    runtime = MODES[mode]
    runtime.check()
    assert runtime.version  # imports the library
    before = _start_counting()
    started = time.perf_counter()
    session = runtime.load(path, threads)
    loaded = time.perf_counter()
    inputs = random_inputs(session, path)
    session.feed(inputs)
    begun = time.perf_counter()
    session.run()
    ended = time.perf_counter()
    peak = _status("VmHWM")
    memory = None if before is None or peak is None else max(0, peak - before)
    return ColdStart(load_ms=1e3 * (loaded - started), first_ms=1e3 * (ended - begun), memory_bytes=memory)


def _start_counting() -> int | None:
    """Bytes of memory now; the peak is forgotten. None where that can't be done (other systems than Linux)."""
    try:
        _PEAK.write_text("5")
    except OSError:
        return None
    return _status("VmRSS")


def _status(name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


if __name__ == "__main__":
    _mode, _path, _threads = sys.argv[1:]
    print(_here(Path(_path), next(mode for mode in get_args(Mode) if mode == _mode), int(_threads)).model_dump_json())
