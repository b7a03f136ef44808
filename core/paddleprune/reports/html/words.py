"""Text of unknown origin: names in a checkpoint are whatever somebody wrote there."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""What can't be seen, turns the direction of what follows, or is no character."""


def plain(value: object, most: int = 100) -> str:
    """The beginning of a text that may be long."""
    said = str(value)
    return said if len(said) <= most else f"{said[: most - 1]}…"


def visible(page: str) -> str:
    """A text in which everything can be seen."""
    return _UNSEEN.sub("�", page)
