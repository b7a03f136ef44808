"""Numbers as people read them."""

from __future__ import annotations

import math

SAME = "≈"
"""Between values that can't be told apart."""
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def count(value: float) -> str:
    """A count with three digits: `2.30 M`, `314 M`, `987`."""
    for size, unit in _UNITS:
        if value >= 0.9995 * size:
            return f"{_three_digits(value / size)} {unit}"
    return f"{value:.0f}"


def megabytes(size: float) -> str:
    """Bytes in MB of a million bytes: `8.9 MB`, `0.23 MB`, `104 MB`."""
    value = size / 1e6
    return f"{value:.0f} MB" if value >= 99.95 else f"{value:.1f} MB" if value >= 0.95 else f"{value:.2f} MB"


def milliseconds(value: float) -> str:
    """Milliseconds with three digits: `57.1 ms`, `1.31 ms`."""
    return f"{_three_digits(value)} ms"


def change(value: float, before: float) -> str:
    """The relative change, rounded to a percent: `−68%`, `+4%`; empty where there is none."""
    if not before or not math.isfinite(value / before):
        return ""
    percent = round(100 * (value / before - 1))
    return f"{percent:+d}%".replace("-", "−") if percent else "±0%"


def difference(value: float, before: float) -> str:
    """The difference of two metrics: `+0.0700`."""
    return f"{value - before:+.4f}".replace("-", "−")


def _three_digits(value: float) -> str:
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f}"
