"""How this process was started: as one of several that train together, or through a pipe by one that watches it."""

from __future__ import annotations

import os
import sys
import threading


def end_with_parent() -> None:
    """End this process, from now on, when the other end of its stdin goes."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing ever comes but the pipe's end; no lock is held when this process ends
    os._exit(1)


def rank_here() -> int:
    """The number of this process, as Paddle's launcher says it; 0 without."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0")) if ranks_here() > 1 else 0


def ranks_here() -> int:
    """How many processes were started together, as Paddle's launcher says it; 1 without."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def gpu_here() -> int:
    """The GPU that is this process's, of those that Paddle sees."""
    names = ("FLAGS_selected_gpus", "PADDLE_RANK_IN_NODE", "PADDLE_TRAINER_ID")
    said = next((os.environ[name] for name in names if os.environ.get(name, "").isdigit()), "0")
    return int(said) if ranks_here() > 1 else 0
