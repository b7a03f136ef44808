"""Long lists, cut short."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

ROWS = 200
"""Rows of a list that are drawn, at most."""


@dataclass(frozen=True)
class Shown:
    """What is drawn of a list.

    Attributes:
        rows: the first of it.
        left: how many more there are.
    """

    rows: tuple[Any, ...]
    left: int = 0

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Shown:
        """The first rows of a list."""
        found = list(rows)
        return cls(tuple(found[:ROWS]), max(0, len(found) - ROWS))
