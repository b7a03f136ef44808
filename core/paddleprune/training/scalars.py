"""VisualDL curves, where the user asked for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paddleprune.dependencies import require


class Scalars:
    """Writes curves into a folder, or nothing without one.

    Raises:
        DependencyError: visualdl isn't installed.
    """

    def __init__(self, folder: Path | None) -> None:
        self._writer: Any = None
        if folder is not None:
            self._writer = require("visualdl", "use_vdl").LogWriter(logdir=str(folder))

    def add(self, tag: str, value: float, step: int) -> None:
        """One point of the curve `tag`."""
        if self._writer is not None:
            self._writer.add_scalar(tag=tag, value=value, step=step)

    def close(self) -> None:
        """Flush what is left."""
        if self._writer is not None:
            self._writer.close()
