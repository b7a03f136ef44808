"""Commands killed at random moments and given again until they are done; two commands that want the same place.

Counts: `kills`; `lost`, what was saved before a kill and isn't any more, or came out otherwise than without kills;
`corrupt`, saved files that can't be read; `stuck`, a command that can't be given again, or leaves a process behind.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.faults.jobs import Job, finish, jobs, prepare

from paddleprune.errors import PaddlePruneError

FULL = 300
_AT_ONCE = 2
_SECONDS_FOR_ORPHANS = 20.0
_TRIES = 40
"""Kills in a row after which a job is let be: it must then end by itself."""


class _Counts:
    """Counts that several threads add to."""

    def __init__(self, kills: int) -> None:
        self._left, self._lock, self.found = kills, threading.Lock(), Counter[str]()

    def another(self) -> bool:
        """Take one of the kills that are left."""
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def add(self, what: str, why: str = "") -> None:
        """Count, and say why if something is wrong."""
        with self._lock:
            self.found[what] += 1
            if why:
                print(f"{what}: {why}", flush=True)


def run(scale: float) -> dict[str, int]:
    """Kill as many commands as the scale says."""
    kills = max(1, round(FULL * scale))
    counts, started = _Counts(kills), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        todo = jobs(prepare(folder))
        whole = {job.name: _whole(job, folder / "whole" / str(i)) for i, job in enumerate(todo)}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            chains = [
                pool.submit(_chains, todo[i::_AT_ONCE], whole, folder / f"killed{i}", counts, random.Random(i))
                for i in range(_AT_ONCE)
            ]
            for chain in chains:
                chain.result()
        for job in todo[:2]:
            _two_writers(job, folder / "two" / job.name, whole[job.name][0], counts)
    print(f"{counts.found['kills']} kills in {time.monotonic() - started:.0f} s", flush=True)
    return {name: counts.found[name] for name in ("kills", "lost", "corrupt", "stuck")}


def _whole(job: Job, folder: Path) -> tuple[dict[str, str], float]:
    """What a job gives if nobody kills it, and how many seconds it takes."""
    folder.mkdir(parents=True)
    start = time.monotonic()
    finish(job.start(folder))
    return job.saved(folder), time.monotonic() - start


def _chains(
    todo: tuple[Job, ...],
    whole: dict[str, tuple[dict[str, str], float]],
    folder: Path,
    counts: _Counts,
    chance: random.Random,
) -> None:
    """One job after the other, each killed until it is done, while kills are left."""
    going = True
    while going:
        for job in todo:
            folder.mkdir()
            going = _chain(job, *whole[job.name], folder, counts, chance)
            shutil.rmtree(folder)
            if not going:
                return


def _chain(
    job: Job, wanted: dict[str, str], seconds: float, folder: Path, counts: _Counts, chance: random.Random
) -> bool:
    """Kill a job again and again, let it end, and look at what it gave; are kills left?"""
    going, before = True, dict[str, str]()
    for _ in range(_TRIES):
        going = going and counts.another()
        if not going:
            break
        process = job.start(folder)
        try:
            process.wait(chance.uniform(0, 1.2 * seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            counts.add("kills")
        said = process.communicate()[1]
        _check_gone(process.pid, job, counts)
        now = _saved(job, folder, counts)
        missing = before.keys() - now.keys()
        if missing:
            counts.add("lost", f"{job.name}: {', '.join(sorted(missing)[:3])} was there before a kill")
        before = now
        if process.returncode > 0:
            counts.add("stuck", f"{job.name} ended with {process.returncode}: {said[-500:]}")
        if process.returncode == 0:
            break
    try:
        finish(job.start(folder))
    except (PaddlePruneError, subprocess.TimeoutExpired) as error:
        counts.add("stuck", f"{job.name}: {error}")
    if _saved(job, folder, counts) != wanted:
        counts.add("lost", f"{job.name} gave something else than without kills")
    return going


def _saved(job: Job, folder: Path, counts: _Counts) -> dict[str, str]:
    try:
        return job.saved(folder)
    except PaddlePruneError as error:
        counts.add("corrupt", f"{job.name}: {error}")
        return {}


def _check_gone(session: int, job: Job, counts: _Counts) -> None:
    """Nothing that a killed command started may go on."""
    deadline = time.monotonic() + _SECONDS_FOR_ORPHANS
    while _alive(session):
        if time.monotonic() > deadline:
            counts.add("stuck", f"{job.name} left processes behind")
            os.killpg(session, signal.SIGKILL)
            return
        time.sleep(0.05)


def _alive(session: int) -> bool:
    """Is a process of it running? One that has ended and that nobody has asked for yet isn't."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = file.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended meanwhile
            continue
        if int(group) == session and state != "Z":
            return True
    return False


def _two_writers(job: Job, folder: Path, wanted: dict[str, str], counts: _Counts) -> None:
    """Of two commands at once, one is refused in a line, or finds the other's work done."""
    folder.mkdir(parents=True)
    processes = [job.start(folder) for _ in range(2)]
    for process in processes:
        said = process.communicate()[1]
        refused = process.returncode == 2 and said.strip().splitlines()[-1].startswith(
            "error: another command is writing"
        )
        if process.returncode != 0 and not refused:
            counts.add("stuck", f"{job.name}, of two: {said[-500:]}")
    if _saved(job, folder, counts) != wanted:
        counts.add("lost", f"{job.name} gave something else where two wanted its place")
