"""Channel atoms: which positions of which values stand or fall together.

Every value carries an integer array, broadcastable to its shape, that says which atom each position
belongs to. Atoms that an operation ties together are united (union-find); 0 means "can't be removed".
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Atoms: TypeAlias = NDArray[np.int64]
FIXED = 0


class AtomTable:
    """A union-find over atoms, with the reasons why some can't be removed."""

    def __init__(self) -> None:
        self._parent = np.zeros(1024, np.int64)
        self._count = 1
        self._fixed: list[tuple[Atoms, str]] = []

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
        parts = atoms.reshape(rows, -1)
        for part in parts[1:]:
            self.unite(parts[0], part, "tied to a part of the same split that can't be removed")

    def fix(self, atoms: Atoms, reason: str) -> None:
        """Say that these atoms can't be removed, and why."""
        atoms = np.unique(atoms)
        atoms = atoms[atoms != FIXED]
        if atoms.size:
            self._fixed.append((atoms, reason))

    def reasons(self) -> dict[int, str]:
        """Representative -> the first reason why it can't be removed."""
        found: dict[int, str] = {FIXED: "an input or a constant"}
        for atoms, reason in self._fixed:
            for root in np.unique(self.find(atoms)).tolist():
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


def along(atoms: Atoms, axis: int, size: int) -> Atoms | None:
    """The vector of atoms along one axis; None if the array varies along another."""
    if any(n > 1 for i, n in enumerate(atoms.shape) if i != axis % atoms.ndim):
        return None
    return np.broadcast_to(atoms.ravel(), (size,)) if atoms.size == 1 else atoms.ravel()
