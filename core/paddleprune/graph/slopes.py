"""What one unit more would save."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from paddleprune.graph.atoms import Atoms
from paddleprune.graph.channels import ChannelGraph
from paddleprune.interfaces import Array


@dataclass(frozen=True)
class Slopes:
    """What each unit takes part in once others are gone: [units] each, by the units' numbers.

    Of a unit that stands at several axes of one weight the cost is counted at each, as a derivative would.

    Attributes:
        parameters: parameters; 0 for units that are gone.
        flops: FLOPs of one sample; likewise.
    """

    parameters: Array
    flops: Array


def slopes(graph: ChannelGraph, removed: Collection[int] = ()) -> Slopes:
    """What one unit more would save, of every unit.

    Args:
        graph: the channel graph.
        removed: units that are gone.
    """
    shapes = graph.shapes_without(removed)
    gone = np.zeros(count_units(graph), bool)
    gone[np.fromiter(removed, np.int64)] = True
    found = Slopes(np.zeros(len(gone)), np.zeros(len(gone)))

    def add(total: Array, units: Atoms, cost: float) -> None:
        np.add.at(total, units[~gone[units]], cost)

    once = {(axis.parameter, axis.axis): axis for axis in graph.axes}  # an axis may stand there in two roles
    for axis in once.values():
        size = _others(shapes, axis.parameter, axis.axis)
        if axis.parameter in graph.parameters:
            add(found.parameters, axis.units, size)
        if positions := graph.uses.get(axis.parameter, 0):
            add(found.flops, axis.units, positions * size)
    for product in graph.products:
        left = [int((~gone[units]).sum()) for units in product.axes]
        for number, units in enumerate(product.axes):
            add(found.flops, units, product.flops * math.prod(left[:number] + left[number + 1 :]))
    return found


def count_units(graph: ChannelGraph) -> int:
    """How many numbers of units there are, those of fixed channels included."""
    return 1 + max((int(axis.units.max(initial=0)) for axis in graph.axes), default=0)


def _others(shapes: Mapping[str, tuple[int, ...]], name: str, axis: int) -> int:
    return math.prod(size for number, size in enumerate(shapes[name]) if number != axis)
