"""Damaged and hostile files: whatever they hold, the answer is one clear error, soon, or their content.

What is counted: `accepted_changed`, a file of this project's own that was read though it means something else than
what was saved; `foreign_exceptions`, anything but an error of this project's; `hangs`, calls that took too long.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from types import FrameType

from paddleprune.errors import PaddlePruneError

from .hostile import hostile_files
from .mutate import mutated
from .targets import Read, Target, write_targets

MUTATIONS, HOSTILE, COMMANDS = 2000, 500, 12
"""Of each file, in all, and through the command line, at scale 1."""
_SECONDS = 20
_COMMAND_SECONDS = 120
_LONGEST = 2000
"""Characters of an error's line: more isn't read."""


_TOLD_TO: list[int] = []


class _TooLongError(BaseException):
    """A call was stopped."""


def run(scale: float = 1.0, seed: int = 0) -> dict[str, int]:
    """Read damaged and hostile files; what goes wrong is printed on stderr.

    Args:
        scale: 1 for 2,000 mutations of each file and 500 hostile ones.
        seed: other seeds, other damage.

    Returns:
        `mutations` (files that were read), `accepted_changed`, `foreign_exceptions` and `hangs`.
    """
    counts = Counter(mutations=0, accepted_changed=0, foreign_exceptions=0, hangs=0)
    before = signal.signal(signal.SIGALRM, _stop)
    try:
        with tempfile.TemporaryDirectory() as name, _decoders_silenced():
            place = Path(name)
            targets = write_targets(place)
            for target in targets:
                _damage(target, Random(f"{seed} {target.name}"), round(MUTATIONS * scale), counts)
            (place / "hostile").mkdir()
            for label, read in hostile_files(place / "hostile", Random(seed), round(HOSTILE * scale)):
                _called(read, label, counts)
            commands = _commands(place, Random(seed), targets)
            for words in commands[: round(COMMANDS * scale)]:
                _commanded(words, counts)
    finally:
        signal.signal(signal.SIGALRM, before)
    return dict(counts)


def _damage(target: Target, random: Random, count: int, counts: Counter[str]) -> None:
    """Damage a file again and again, read it each time, and put it back."""
    content, meant = target.file.read_bytes(), target.read()
    for number in range(count):
        damaged = mutated(random, content)
        target.file.write_bytes(damaged)
        what = f"{target.name}, mutation {number}"
        done, found = _called(target.read, what, counts)
        if done and target.bound and found != meant:
            _tell(f"accepted changed: {what}", counts, "accepted_changed")
    target.file.write_bytes(content)


def _called(read: Read, what: str, counts: Counter[str]) -> tuple[bool, object]:
    """Whether reading went well, and what came of it."""
    counts["mutations"] += 1
    start = time.monotonic()
    try:
        signal.alarm(_SECONDS)
        with contextlib.redirect_stderr(io.StringIO()):
            return True, read()
    except PaddlePruneError as error:
        if "\n" in str(error) or len(str(error)) > _LONGEST:
            _tell(f"no clear line: {what}: {str(error)[:200]!r}", counts, "foreign_exceptions")
    except _TooLongError:
        _tell(f"hangs: {what}", counts, "hangs")
        return False, None
    except Exception as error:
        _tell(f"foreign: {what}: {type(error).__name__}: {str(error)[:200]!r}", counts, "foreign_exceptions")
    finally:
        signal.alarm(0)
    if time.monotonic() - start > _SECONDS:
        _tell(f"hangs: {what}", counts, "hangs")
    return False, None


def _commands(place: Path, random: Random, targets: Sequence[Target]) -> list[list[str]]:
    """Commands that must end with one line: they meet files that are damaged for sure."""
    files = {target.name: target.file for target in targets}
    checkpoint, out = str(place / "epoch_1"), str(place / "out")
    pipe = str(place / "hostile/pipe.png")
    commands = []
    for name in ("checkpoint.json", "weights.safetensors", "plan.json"):
        copy = place / f"damaged {name}"
        copy.mkdir()
        for file in (place / "epoch_1").iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        (copy / name).write_bytes((copy / name).read_bytes()[: -random.randrange(4, 40)])
        commands.append(["explain", str(copy)])
    for name in ("run file", "table", "pickle"):
        files[name].write_bytes(files[name].read_bytes()[:40] + b"\xff{")
    data = ["--data", str(place / "data")]
    return [
        commands[0],
        ["train", "classification", "--config", str(files["run file"]), "--save-dir", out],
        ["import-table", str(files["pickle"]), "--model", checkpoint, "--save-file", out],
        *commands[1:],
        ["predict", checkpoint, pipe],
        ["visualize", str(files["table"]), "--model", checkpoint],
        ["train", "classification", "--config", pipe, "--save-dir", out],
        ["import-table", pipe, "--model", checkpoint, "--save-file", out],
        ["evaluate", checkpoint, *data],
        ["train", "classification", "--model", "lenet", *data, "--save-dir", out, "--options", "input_size=!!int a"],
        ["analyze", checkpoint, *data, "--save-file", str(files["table"])],
    ]


def _commanded(words: Sequence[str], counts: Counter[str]) -> None:
    """A real process: exit code 2 and one line."""
    counts["mutations"] += 1
    what = " ".join(words)[:200]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "paddleprune", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired:
        _tell(f"hangs: {what}", counts, "hangs")
        return
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    if done.returncode != 2 or len(lines) != 1 or "Traceback" in done.stderr:
        _tell(f"foreign: {what}: exit {done.returncode}: {done.stderr[-300:]!r}", counts, "foreign_exceptions")


@contextlib.contextmanager
def _decoders_silenced() -> Iterator[None]:
    """While open, libpng and its like say nothing; only `_tell` does."""
    _TOLD_TO.append(os.dup(2))
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        kept = _TOLD_TO.pop()
        os.dup2(kept, 2)
        os.close(kept)


def _tell(line: str, counts: Counter[str], kind: str) -> None:
    counts[kind] += 1
    os.write(_TOLD_TO[-1], f"{line}\n".encode(errors="replace"))


def _stop(number: int, frame: FrameType | None) -> None:
    raise _TooLongError
