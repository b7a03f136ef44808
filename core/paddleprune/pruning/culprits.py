"""Which of many things a check fails for: halves are tried until the culprits stand alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Thing = TypeVar("_Thing", bound=_Named)


def culprits(
    things: Sequence[_Thing],
    problem: Callable[[Sequence[_Thing]], str | None],
    together: Callable[[str], str],
) -> dict[str, str]:
    """The things that a check fails for: name -> reason.

    Args:
        things: all that are checked.
        problem: what is wrong with some of them, checked at once; None if nothing is.
        together: the reason where each half is fine, and both at once aren't, from what `problem` said of both.
    """
    found = problem(things)
    if found is None:
        return {}
    if len(things) == 1:
        return {things[0].name: found}
    middle = len(things) // 2
    halves = culprits(things[:middle], problem, together) | culprits(things[middle:], problem, together)
    return halves or {thing.name: together(found) for thing in things}
