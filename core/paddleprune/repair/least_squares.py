"""The weights that best give an output again: ridge regression towards the weights that there are.

    min over W, b of |X W + b - Y|^2 + ridge * m * rows * |W - W0|^2,    m the mean square of X's columns

pulled towards W0 rather than to zero: what the samples don't determine stays as it is. Kin: "Channel Pruning"
(He et al. 2017), ThiNet (Luo et al. 2017), Optimal Brain Compression (Frantar and Alistarh 2022).
"""

from __future__ import annotations

import numpy as np

from paddleprune.interfaces import Array

_BLOCK = 4096
"""Rows that are multiplied at a time, in single precision; their products are added up in double."""
_TINY = 1e-12


class Sums:
    """What a regression needs to know of rows X [groups, R, d] and Y [groups, R, o], however many there are.

    Products are taken around the first rows' means, so that single precision does.

    Args:
        free: whether a constant is fitted, too; else the product must do without.
    """

    def __init__(self, free: bool) -> None:
        self._free = free
        self.count = 0

    def add(self, x: Array, y: Array) -> None:
        """Take in some rows more."""
        x, y = x.astype(np.float32, copy=False), y.astype(np.float32, copy=False)
        if not self.count:
            groups, _, wide = x.shape
            zero = not self._free
            self._x0 = np.zeros((groups, 1, wide), np.float32) if zero else x.mean(axis=1, keepdims=True)
            self._y0 = np.zeros((groups, 1, y.shape[2]), np.float32) if zero else y.mean(axis=1, keepdims=True)
            self._xx, self._xy = np.zeros((groups, wide, wide)), np.zeros((groups, wide, y.shape[2]))
            self._sx, self._sy = np.zeros((groups, wide)), np.zeros((groups, y.shape[2]))
        for start in range(0, x.shape[1], _BLOCK):
            a, b = x[:, start : start + _BLOCK] - self._x0, y[:, start : start + _BLOCK] - self._y0
            turned = a.transpose(0, 2, 1)
            self._xx += turned @ a
            self._xy += turned @ b
            self._sx += a.sum(axis=1, dtype=np.float64)
            self._sy += b.sum(axis=1, dtype=np.float64)
        self.count += x.shape[1]

    def gram(self) -> Array:
        """The mean product of X's columns, around their means where a constant is fitted: [groups, d, d]."""
        mean = self._sx / self.count
        around = mean[:, :, None] * mean[:, None, :] if self._free else 0
        return np.asarray(self._xx / self.count - around)

    def solve(self, start: Array, ridge: float) -> tuple[Array, Array]:
        """The weights and the constant.

        Args:
            start: W0, [groups, d, o].
            ridge: how strongly the weights are pulled towards it.

        Returns:
            W [groups, d, o] and b [groups, o].
        """
        gram = self.gram()
        mx, my = self._sx / self.count, self._sy / self.count
        cross = self._xy / self.count - (mx[:, :, None] * my[:, None, :] if self._free else 0)
        wide = gram.shape[1]
        pull = ridge * np.trace(gram, axis1=1, axis2=2) / wide + _TINY
        change = np.linalg.solve(gram + pull[:, None, None] * np.eye(wide), cross - gram @ start)
        found = start + change
        if not self._free:
            return found, np.zeros(found.shape[::2])
        constant = (my + self._y0[:, 0]) - np.einsum("gd,gdo->go", mx + self._x0[:, 0], found)
        return found, constant


class Rows:
    """The same for fewer rows than X is wide: the rows are kept, and the smaller, dual system is solved."""

    def __init__(self, free: bool) -> None:
        self._free = free
        self._x: list[Array] = []
        self._y: list[Array] = []

    def add(self, x: Array, y: Array) -> None:
        """Take in some rows more."""
        self._x.append(x)
        self._y.append(y)

    def solve(self, start: Array, ridge: float) -> tuple[Array, Array]:
        """As `Sums.solve`."""
        x, y = (np.concatenate(parts, axis=1).astype(np.float64) for parts in (self._x, self._y))
        mx, my = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
        if not self._free:
            mx, my = np.zeros_like(mx), np.zeros_like(my)
        x, y = x - mx, y - my
        products = x @ x.transpose(0, 2, 1)
        pull = ridge * np.trace(products, axis1=1, axis2=2) / x.shape[2] + _TINY
        rest = np.linalg.solve(products + pull[:, None, None] * np.eye(x.shape[1]), y - x @ start)
        found = start + x.transpose(0, 2, 1) @ rest
        return found, (my - mx @ found)[:, 0]
