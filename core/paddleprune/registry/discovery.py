"""Finding the plugins of installed distributions, none of which can break the others."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

ENTRY_POINT_GROUP = "paddleprune"


@dataclass(frozen=True)
class Found:
    """An entry point of the group, loaded: either `plugin` is there, or `error` says why not."""

    name: str
    distribution: str
    version: str
    plugin: object | None
    error: str | None


def find_plugins() -> list[Found]:
    """Load every entry point of the group `paddleprune`, in the order of their names."""
    return [_load(point) for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=_order)]


def one_line(error: BaseException) -> str:
    """The type of an exception and the first line of its message that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" -")]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _order(point: EntryPoint) -> tuple[str, str]:
    return (point.name, point.dist.name if point.dist else "")


def _load(point: EntryPoint) -> Found:
    distribution = point.dist.name if point.dist else "unknown"
    version = point.dist.version if point.dist else "unknown"
    try:
        return Found(point.name, distribution, version, point.load(), None)
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything while it is imported
        return Found(point.name, distribution, version, None, f"cannot import {point.value}: {one_line(error)}")
