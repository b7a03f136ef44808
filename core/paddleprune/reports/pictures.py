"""Saving a figure: drawn in memory, then written whole."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from paddleprune.errors import ConfigError
from paddleprune.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
"""Colours that colour-blind readers tell apart (Okabe and Ito)."""
SUFFIXES = (".png", ".svg", ".pdf")
_DPI = 150


def check_suffix(path: Path) -> None:
    """Say what pictures there are.

    Raises:
        ConfigError: the path's suffix isn't one of them.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"cannot draw {path}: the suffix must be {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as the path's suffix says, atomically.

    Raises:
        ConfigError: an unknown suffix.
        SaveError: the disk is full, or the place can't be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    check_suffix(path)
    buffer = BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format=path.suffix.lower().removeprefix("."), dpi=_DPI)
    write_bytes(path, buffer.getvalue())
