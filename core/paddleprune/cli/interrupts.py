"""Ctrl-C and SIGTERM end a command with a line and exit code 130 or 143; the same command goes on later."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from paddleprune.console import heed_stop, say

received = [signal.SIGINT]
"""The signals that were received; the last one decides the exit code."""


class Interruptible(TyperGroup):
    """The commands, each of which Ctrl-C ends."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            say(str(stop) or "interrupted")
            raise typer.Exit(128 + received[-1]) from stop


class Computing(TyperCommand):
    """A command that runs Paddle: SIGTERM, by which schedulers and containers end things, ends it as Ctrl-C does.

    Paddle's own handler, which its import installs, prints a trace from within the signal, and at times never returns.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        compute()
        return super().invoke(ctx)


def compute() -> None:
    """Import Paddle, which takes seconds, and heed SIGTERM from now on."""
    with suppress(ModuleNotFoundError):  # the command says so itself
        import paddle  # noqa: F401
    heed()


def heed() -> None:
    """Let SIGTERM, and Ctrl-C where that isn't to be ignored, end the command."""
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


def _stop(number: int, frame: Any) -> NoReturn:
    received.append(signal.Signals(number))
    heed_stop()
    raise KeyboardInterrupt
