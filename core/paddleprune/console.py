"""What the person at the keyboard sees: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

_SECONDS_BETWEEN_LINES = 10.0
_open: list[Progress] = []
"""The bars that are on the terminal now."""


def console() -> Console:
    """The console for progress and messages (stderr, so that results on stdout can be piped)."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def counted(number: int, word: str) -> str:
    """A number and what it counts: 1 group, 2 groups."""
    return f"{number} {word}{'' if number == 1 else 's'}"


_LISTED = 4


def listed(names: Sequence[str], more: str = "more") -> str:
    """The first of some names, and how many more there are: `a, b, c, d and 3 more`."""
    rest = f" and {len(names) - _LISTED} {more}" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + rest


_spelling: Callable[[str], str] = str


def spelling(change: Callable[[str], str]) -> None:
    """Let every message pass through a function from now on: the command line spells settings as flags."""
    global _spelling
    _spelling = change


def say_error(message: str) -> None:
    """Why a command fails, on one line, whatever else is said."""
    _say(f"error: {message}")


def say(message: str) -> None:
    """One plain line to the person at the keyboard, above a bar that is there."""
    if not _quiet:
        _say(message)


def _say(message: str) -> None:
    message = _spelling(message)
    if _open:
        _open[-1].console.print(message, markup=False, highlight=False, soft_wrap=True)
    else:
        console().print(message, markup=False)


_command: str = ""


def note_command(words: Sequence[str]) -> None:
    """Remember what this process was called with."""
    global _command
    _command = shlex.join(words)


def command() -> str:
    """The command that this process runs, as a shell takes it; empty in a program of the user's own."""
    return _command


def quiet() -> None:
    """Let this process say nothing from now on but why it fails: another one like it speaks for both."""
    _quiet.append(True)


_quiet: list[bool] = []
_stops: list[bool] = []
"""A wish to stop that nothing has heeded yet."""


def heed_stop() -> None:
    """Let the next step of the work that is going on raise KeyboardInterrupt, if nothing has until then.

    For handlers of signals: what they raise is lost where Paddle's C++ has called into Python.
    """
    _stops.append(True)


class Task:
    """A piece of long work with a known number of steps; made by `progress`."""

    def __init__(self, title: str, total: int, bar: Progress | None, quiet: bool = False) -> None:
        self.title, self.total, self.done = title, total, 0
        self._bar, self._quiet = bar, quiet
        self._id = bar.add_task(title, total=total, note="") if bar else None
        self._start = self._last = time.monotonic()

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Report `steps` more as done, with a word on where the work stands (loss, group, …).

        Raises:
            KeyboardInterrupt: the work was to stop, and that was lost.
        """
        if _stops:
            _stops.clear()
            raise KeyboardInterrupt
        self.done += steps
        if self._bar is not None and self._id is not None:
            self._bar.update(self._id, advance=steps, note=note)
            return
        if self._quiet:
            return
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES or self.done == self.total:
            self._last = now
            remaining = (now - self._start) / max(self.done, 1) * (self.total - self.done)
            eta = timedelta(seconds=round(remaining))
            say(f"{self.title} {self.done}/{self.total}{' ' + note if note else ''} eta {eta}")

    def log(self, message: str) -> None:
        """One line above the bar."""
        say(message)


_showing: ContextVar[bool] = ContextVar("showing", default=False)


@contextmanager
def progress(title: str, total: int) -> Iterator[Task]:
    """A bar with ETA on a terminal; elsewhere a line every ten seconds and at the end.

    Work that is part of other work whose progress is shown already shows none of its own.
    """
    if _quiet or _showing.get():
        yield Task(title, total, None, quiet=True)
        return
    token = _showing.set(True)
    try:
        with _shown(title, total) as task:
            yield task
    except KeyboardInterrupt:
        _stops.clear()
        raise
    finally:
        _showing.reset(token)


@contextmanager
def _shown(title: str, total: int) -> Iterator[Task]:
    out = console()
    if not out.is_terminal:
        yield Task(title, total, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )
    with Progress(*columns, console=out, expand=True) as bar:
        _open.append(bar)
        try:
            yield Task(title, total, bar)
        finally:
            _open.remove(bar)
