"""Ctrl-C ends a command with a line and exit code 130; left to itself, Typer ends it without a word."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from paddleprune.console import say


class Interruptible(TyperGroup):
    """The commands, each of which Ctrl-C ends."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            say(str(stop) or "interrupted")
            raise typer.Exit(130) from stop
