"""Parameters and FLOPs as sums of products of widths: as fast as a search wants them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from paddleprune.graph.atoms import Atoms
from paddleprune.graph.channels import ChannelGraph
from paddleprune.interfaces import Array


@dataclass(frozen=True)
class Term:
    """What grows with a product of widths.

    Attributes:
        axes: the axes that are multiplied, by their numbers; one that counts twice stands there twice.
        parameters: for each combination of what stays along them.
        flops: likewise, of one sample.
    """

    axes: tuple[int, ...]
    parameters: float
    flops: float


class Sizes:
    """A network's costs, of the widths of its axes. Axes along which the same units lie are one.

    Args:
        graph: the channel graph.

    Attributes:
        axes: [width] each, the unit at each position of an axis that may be cut.
        terms: whose sum is the cost.
        units: how many numbers of units there are, those of fixed channels included.
    """

    def __init__(self, graph: ChannelGraph) -> None:
        self._numbers: dict[bytes, int] = {}
        self.axes: list[Atoms] = []
        of: dict[str, dict[int, Atoms]] = {}
        for axis in graph.axes:  # an axis may stand there in two roles
            of.setdefault(axis.parameter, {})[axis.axis] = axis.units
        found: dict[tuple[int, ...], list[float]] = {}
        for name, shape in graph.shapes.items():
            cut = of.get(name, {})
            rest = math.prod(size for number, size in enumerate(shape) if number not in cut)
            counted = rest * (name in graph.parameters), rest * graph.uses.get(name, 0)
            if any(counted):
                self._add(found, cut.values(), *counted)
        for product in graph.products:
            self._add(found, product.axes, 0, product.flops)
        self.terms = [Term(axes, *sums) for axes, sums in found.items()]
        self.units = graph.numbers
        self._units = np.concatenate([*self.axes, np.zeros(0, np.int64)])
        self._lengths = np.array([len(units) for units in self.axes], np.int64)

    def number(self, units: Atoms) -> int:
        """The number of the axis along which these units lie; a new one, if none is known."""
        found = self._numbers.setdefault(units.tobytes(), len(self.axes))
        if found == len(self.axes):
            self.axes.append(units)
        return found

    def _add(
        self, terms: dict[tuple[int, ...], list[float]], axes: Collection[Atoms], parameters: float, flops: float
    ) -> None:
        sums = terms.setdefault(tuple(sorted(self.number(units) for units in axes)), [0.0, 0.0])
        sums[0] += parameters
        sums[1] += flops

    def widths(self, removed: Collection[int]) -> Array:
        """How wide each axis is once these units are gone: [axes]."""
        edges = np.concatenate([[0], np.cumsum(~self._gone(removed)[self._units])])
        ends = np.cumsum(self._lengths)
        widths: Array = (edges[ends] - edges[ends - self._lengths]).astype(np.float64)
        return widths

    def cost(self, widths: Sequence[Array] | Array) -> tuple[Array, Array]:
        """Parameters and FLOPs at some widths; whole numbers up to 2⁵³ are exact."""
        parameters = flops = np.zeros(())
        for term in self.terms:
            product = math.prod(widths[axis] for axis in term.axes)
            parameters, flops = parameters + term.parameters * product, flops + term.flops * product
        return parameters, flops

    def slopes(self, removed: Collection[int]) -> tuple[Array, Array]:
        """Parameters and FLOPs that one unit more would save, of every unit: [units] each; 0 for those that are gone.

        Of a unit that stands at several axes of one weight the cost is counted at each, as a derivative would.
        """
        widths, gone = self.widths(removed).tolist(), self._gone(removed)
        found = np.zeros((2, len(self.axes)))
        for term in self.terms:
            for place, axis in enumerate(term.axes):
                others = math.prod(widths[other] for other in term.axes[:place] + term.axes[place + 1 :])
                found[:, axis] += term.parameters * others, term.flops * others
        parameters, flops = (
            np.bincount(self._units, np.repeat(each, self._lengths), minlength=self.units) * ~gone for each in found
        )
        return parameters, flops

    def _gone(self, removed: Collection[int]) -> Array:
        gone = np.zeros(self.units, bool)
        gone[np.fromiter(removed, np.int64)] = True
        return gone
