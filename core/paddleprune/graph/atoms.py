"""Channel atoms: which positions of which values stand or fall together.

A value carries tracks. A track is an integer array, broadcastable to the value's shape, that says which atom
each position belongs to; a position is there as long as none of its atoms is removed, on any track. Atoms that
an operation ties together are united (union-find); 0 means "can't be removed".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Atoms: TypeAlias = NDArray[np.int64]
FIXED = 0


@dataclass(frozen=True)
class Track:
    """Atoms along one axis of a value, or along several that are cut together (heads and what is in them).

    Attributes:
        atoms: of the value's rank; size 1 along every axis where they don't vary.
        zero: is the value 0 wherever everything that makes the atom's channels is 0? Only then can a product or
            a sum without weights be masked.
    """

    atoms: Atoms
    zero: bool = True

    @property
    def axes(self) -> frozenset[int]:
        """Along which axes the atoms vary."""
        return frozenset(i for i, n in enumerate(self.atoms.shape) if n > 1)


Tracks: TypeAlias = tuple[Track, ...]


class AtomTable:
    """A union-find over atoms, with the reasons why some can't be removed, or not exactly."""

    def __init__(self) -> None:
        self._parent = np.zeros(1024, np.int64)
        self._count = 1
        self._fixed = Reasons()
        self._inexact = Reasons()

    def fresh(self, count: int) -> Atoms:
        """`count` new atoms."""
        first, self._count = self._count, self._count + count
        while self._count > len(self._parent):
            self._parent = np.concatenate([self._parent, np.zeros_like(self._parent)])
        self._parent[first : self._count] = np.arange(first, self._count)
        return np.arange(first, self._count)

    def find(self, atoms: Atoms) -> Atoms:
        """The representative of each atom, in the same shape."""
        roots = self._parent[atoms]
        while True:
            above = self._parent[roots]
            if np.array_equal(above, roots):
                break
            roots = above
        self._parent[atoms] = roots
        return roots

    def unite(self, a: Atoms, b: Atoms, reason: str) -> None:
        """Tie two arrays together position by position (broadcasting); `reason` fixes what meets a fixed atom."""
        a, b = (side.ravel() for side in np.broadcast_arrays(a, b))
        self.fix(a[b == FIXED], reason)
        self.fix(b[a == FIXED], reason)
        both = (a != FIXED) & (b != FIXED) & (a != b)
        a, b = a[both], b[both]
        while a.size:
            a, b = self.find(a), self.find(b)
            apart = a != b
            a, b = a[apart], b[apart]
            np.minimum.at(self._parent, np.maximum(a, b), np.minimum(a, b))

    def tie_rows(self, atoms: Atoms, rows: int) -> None:
        """Tie the same relative index of `rows` equal parts of a vector: each part keeps equal width."""
        self.tie_across(atoms.reshape(rows, -1), 0)

    def tie_across(self, grid: Atoms, axis: int) -> None:
        """Tie everything along an axis: afterwards the array doesn't vary along it."""
        if grid.shape[axis] > 1:
            self.unite(grid, grid.take([0], axis), "tied to a channel that can't be removed")

    def fix(self, atoms: Atoms, reason: str, foremost: bool = False) -> None:
        """Say that these atoms can't be removed, and why; a `foremost` reason comes before those said earlier."""
        self._fixed.add(atoms, reason, foremost)

    def blur(self, atoms: Atoms, reason: str) -> None:
        """Say that for these atoms a masked channel isn't a missing one, and why."""
        self._inexact.add(atoms, reason)

    def fixed(self) -> dict[int, str]:
        """Representative -> the first reason why it can't be removed."""
        return {FIXED: "an input or a constant", **self._fixed.by_root(self)}

    def inexact(self) -> dict[int, str]:
        """Representative -> the first reason why masking isn't removing."""
        return self._inexact.by_root(self)


@dataclass
class Reasons:
    """What was said of which atoms, in order."""

    _said: list[tuple[Atoms, str]] = field(default_factory=list)

    def add(self, atoms: Atoms, reason: str, foremost: bool = False) -> None:
        """Say it of these atoms, after or before all that was said so far."""
        atoms = np.unique(atoms)
        atoms = atoms[atoms != FIXED]
        if atoms.size:
            self._said.insert(0 if foremost else len(self._said), (atoms, reason))

    def by_root(self, table: AtomTable) -> dict[int, str]:
        """Representative -> what was said of it first."""
        found: dict[int, str] = {}
        for atoms, reason in self._said:
            for root in np.unique(table.find(atoms)).tolist():
                found.setdefault(root, reason)
        return found


def collapse(atoms: Atoms) -> Atoms:
    """Size 1 along every axis where the array doesn't vary."""
    for axis in range(atoms.ndim):
        if atoms.shape[axis] > 1:
            first = atoms.take([0], axis)
            if (atoms == first).all():
                atoms = first
    return atoms
