"""The command line as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SMALL = ("--options", "input_size=32", "--options", "scale=0.25")
SHORT = ("--train-batch-size", 16, "--eval-batch-size", 24, "--learning-rate", 0.05)


def run(*words: object, code: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line as a user runs it, in a process of its own."""
    command = [sys.executable, "-m", "paddleprune", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done
