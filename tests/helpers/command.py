"""The command line as a user runs it."""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SMALL = ("--options", "input_size=32", "--options", "scale=0.25")
SHORT = ("--train-batch-size", 16, "--eval-batch-size", 24, "--learning-rate", 0.05)

FORKS = """
import json, os, runpy, sys, traceback
import cv2, paddle, paddle.static, paddle.vision, paddleprune.api.compare, paddleprune.api.prune, paddleprune.api.train

for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        for number, file in enumerate(asked["files"], start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), number)
        sys.stdin = open(os.devnull)
        sys.argv = ["paddleprune", *asked["words"]]
        code = 0
        try:
            runpy.run_module("paddleprune", run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Imports Paddle once, and becomes a process of its own for every command: importing takes longer than most of them."""


@functools.cache
def _forks() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.kill)
    return process


def run(*words: object, code: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line as a user runs it, in a process of its own."""
    command, forks = list(map(str, words)), _forks()
    assert forks.stdin is not None
    assert forks.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("stdout", "stderr")]
        for file in files:
            file.touch()
        asked = {"words": command, "cwd": str(cwd or Path.cwd()), "environment": dict(os.environ)}
        forks.stdin.write(json.dumps({**asked, "files": [str(file) for file in files]}) + "\n")
        forks.stdin.flush()
        ended = int(forks.stdout.readline())
        done = subprocess.CompletedProcess(command, ended, *(file.read_text() for file in files))
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done
