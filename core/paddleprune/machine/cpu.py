"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def cpu_name() -> str:
    """The model of the CPU, as the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


_most_threads: list[int] = []


def limit_threads(count: int) -> None:
    """Let this process use at most so many threads: it shares the CPU with others of its kind."""
    _most_threads[:] = [count]


def cpu_threads() -> int:
    """How many threads this process may use: one a core, or fewer if `limit_threads` said so.

    `OMP_NUM_THREADS` tells nothing: Paddle sets it to 1 where nobody has.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, *_most_threads) if _most_threads else cores


def block_channels() -> tuple[int, ...]:
    """How many channels oneDNN may take at once on this CPU (its layouts nChw16c and nChw8c), the most first."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return (8,)
    return (16, 8) if "avx512f" in flags else (8,)


def saturates() -> bool:
    """Does this CPU add two products of 8 bits in 16 bits, which may not hold the sum? x86 without VNNI does."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        flags = ""
    return platform.machine().lower() in ("x86_64", "amd64") and "vnni" not in flags
