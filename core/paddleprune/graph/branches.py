"""Residual branches: what can go as a whole, so that a block becomes its shortcut."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Branch:
    """What lies between a tensor x and an addition x + branch(x), and is read by nothing else.

    Attributes:
        name: a plus and the last layer with weights, e.g. `+features.3.conv`.
        unit: its number among the units.
        layers: the layers that go -> how many axes their outputs have.
        ends: those of them whose outputs reach the addition.
        parameters: the parameters and buffers that go with them.
        ops: the operations that go, by their number in the traced program.
        readers: the weights that read the sum.
        protected: why it may not go; None if it may.
    """

    name: str
    unit: int
    layers: Mapping[str, int]
    ends: frozenset[str]
    parameters: frozenset[str]
    ops: frozenset[int]
    readers: frozenset[str]
    protected: str | None = None

    def within(self, other: Branch) -> bool:
        """Is it a part of another branch?"""
        return self.ops < other.ops


def outermost(branches: Iterable[Branch]) -> list[Branch]:
    """Those of some branches that aren't parts of others of them."""
    some = list(branches)
    return [branch for branch in some if not any(branch.within(other) for other in some)]


def chosen(branches: Iterable[Branch], units: Collection[int]) -> list[Branch]:
    """The branches whose units are among some."""
    wanted = set(units)
    return [branch for branch in branches if branch.unit in wanted]
