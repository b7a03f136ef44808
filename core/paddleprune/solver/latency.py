"""What a network's latency will be at other widths: the times of its layers, fitted to whole networks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from paddleprune.graph import ChannelGraph
from paddleprune.graph.atoms import FIXED, Atoms
from paddleprune.graph.sizes import Sizes
from paddleprune.interfaces import Array
from paddleprune.measure.layer_times import LayerSpec

_SHARES = (0.25, 0.5, 0.75, 1.0)
"""Where a layer is timed, of its widths."""


@dataclass(frozen=True)
class Times:
    """One layer's times over its widths: bilinear between them, and flat within a block.

    Attributes:
        reads: [R], widths of what it reads, ascending.
        makes: [M], widths of what it makes.
        values: [R, M], milliseconds.
        block: channels that a CPU takes at once: fewer take as long.
    """

    reads: Array
    makes: Array
    values: Array
    block: int

    def at(self, reads: Array | int, makes: Array | int) -> Array:
        """Milliseconds at some widths, each of those that are read with those that are made."""
        low, high, share = _place(self.reads, np.asarray(reads), self.block)
        left, right, part = _place(self.makes, np.asarray(makes), self.block)
        first = self.values[low, left] * (1 - share) + self.values[high, left] * share
        last = self.values[low, right] * (1 - share) + self.values[high, right] * share
        found: Array = np.maximum(first * (1 - part) + last * part, 0.0)
        return found


def _place(widths: Array, width: Array, block: int) -> tuple[Array, Array, Array]:
    """Between which two widths each lies, and how far; below the first the line goes on."""
    if len(widths) == 1:
        here = np.zeros(width.shape, np.int64)
        return here, here, np.zeros(width.shape)
    width = np.minimum(-(-width // block) * block, widths[-1])
    low = np.clip(np.searchsorted(widths, width, "right") - 1, 0, len(widths) - 2)
    return low, low + 1, (width - widths[low]) / (widths[low + 1] - widths[low])


def grid(width: int, fixed: bool, block: int) -> list[int]:
    """The widths at which a layer is timed along one axis: whole blocks, and all of it."""
    if fixed:
        return [width]
    return sorted({min(max(round(share * width / block), 1) * block, width) for share in _SHARES})


@dataclass(frozen=True)
class _Timed:
    """One call of a layer: its weight, the units along what it reads and makes, and its times."""

    spec: LayerSpec
    weight: str
    along: tuple[Atoms, Atoms]
    times: Times

    @property
    def reads(self) -> Atoms:
        return self.along[self.spec.axes[0]]

    @property
    def makes(self) -> Atoms:
        return self.along[self.spec.axes[1]]


class LayerLatency:
    """A network's latency, of the times of its layers.

    Args:
        graph: the network's channel graph.
        calls: each call of a layer: its name, and what was called.
        measure: gives milliseconds of a layer at some widths; asked once for each place of each layer's grid.
        block: channels that the CPU takes at once.

    Attributes:
        error: the largest difference to the whole networks that it was fitted to, as a share; None before.
    """

    def __init__(
        self,
        graph: ChannelGraph,
        calls: Sequence[tuple[str, LayerSpec]],
        measure: Callable[[LayerSpec, int, int], float],
        block: int,
    ) -> None:
        self._graph, self._scale, self._rest = graph, 1.0, 0.0
        self.error: float | None = None
        self._units = Sizes(graph).units
        units = {(axis.parameter, axis.axis): axis.units for axis in graph.axes}
        self._timed: list[_Timed] = []
        for name, spec in calls:
            weight = f"{name}.weight".removeprefix(".")
            shape = graph.shapes.get(weight)
            if shape is None:
                continue
            first, second = (units.get((weight, axis), np.full(shape[axis], FIXED)) for axis in (0, 1))
            reads, makes = ((first, second)[axis] for axis in spec.axes)
            step = max(block, spec.groups)
            wide, made = spec.widths(shape)
            rows, columns = grid(wide, not (reads != FIXED).any(), step), grid(made, not (makes != FIXED).any(), step)
            self._timed.append(_Timed(spec, weight, (first, second), _times(spec, rows, columns, measure, block)))

    def total(self, removed: Collection[int]) -> float:
        """Milliseconds once these units are gone."""
        return self._rest + self._scale * self._sum(removed)

    def slopes(self, removed: Collection[int]) -> Array:
        """What one unit more would save, in milliseconds: [units], by the units' numbers."""
        shapes = self._graph.shapes_without(removed)
        gone = np.zeros(self._units, bool)
        gone[np.fromiter(removed, np.int64)] = True
        found = np.zeros(len(gone))
        for timed in self._timed:
            if 0 in shapes[timed.weight]:  # it went with its branch
                continue
            reads, makes = timed.spec.widths(shapes[timed.weight])
            now, block = timed.times.at(reads, makes), timed.times.block
            if timed.spec.groups == 0:
                saved = now - timed.times.at(max(reads - block, 1), max(makes - block, 1))
                _add(found, timed.makes, saved / min(block, makes), gone)
                continue
            saved = now - timed.times.at(max(reads - block, 1), makes)
            _add(found, timed.reads, saved / min(block, reads), gone)
            saved = now - timed.times.at(reads, max(makes - block, 1))
            _add(found, timed.makes, saved / min(block, makes), gone)
        return np.maximum(found * self._scale, 0.0)

    def layers(self) -> list[tuple[tuple[Atoms, Atoms], Callable[[Array, Array], Array]]]:
        """The units along the first two axes of each layer's weight, and its milliseconds at their widths."""

        def milliseconds(timed: _Timed) -> Callable[[Array, Array], Array]:
            return lambda *widths: self._scale * timed.times.at(*timed.spec.widths(widths))

        return [((timed.along[0], timed.along[1]), milliseconds(timed)) for timed in self._timed]

    def fit(self, measured: Sequence[tuple[Collection[int], float]]) -> None:
        """Fit the sum of layers to whole networks: a factor, and what is there whatever is cut.

        Args:
            measured: what had gone, and the milliseconds of what was left.
        """
        sums = np.array([self._sum(removed) for removed, _ in measured])
        truth = np.array([milliseconds for _, milliseconds in measured])
        weighted = np.stack([sums, np.ones_like(sums)], axis=1) / truth[:, None]
        self._scale, self._rest = np.linalg.lstsq(weighted, np.ones_like(truth), rcond=None)[0].tolist()
        if self._scale <= 0 or self._rest < 0:
            self._scale, self._rest = float(np.mean(truth / sums)), 0.0
        self.error = float(np.abs((self._rest + self._scale * sums) / truth - 1).max())

    def _sum(self, removed: Collection[int]) -> float:
        shapes = self._graph.shapes_without(removed)
        left = [timed for timed in self._timed if 0 not in shapes[timed.weight]]  # others went with their branch
        return sum(float(timed.times.at(*timed.spec.widths(shapes[timed.weight]))) for timed in left)


def _times(
    spec: LayerSpec,
    reads: Sequence[int],
    makes: Sequence[int],
    measure: Callable[[LayerSpec, int, int], float],
    block: int,
) -> Times:
    if spec.groups == 0:
        values = np.array([[measure(spec, width, width)] for width in reads])
        return Times(np.array(reads), np.array(makes[-1:]), values, block)
    values = np.array([[measure(spec, width, made) for made in makes] for width in reads])
    return Times(np.array(reads), np.array(makes), values, block)


def _add(total: Array, units: Atoms, cost: Array, gone: Array) -> None:
    np.add.at(total, units[~gone[units] & (units != FIXED)], cost)
