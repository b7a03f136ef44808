"""What one unit more would save."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from paddleprune.graph.atoms import Atoms
from paddleprune.graph.channels import ChannelGraph
from paddleprune.interfaces import Array


def flop_slopes(graph: ChannelGraph, removed: Collection[int] = ()) -> Array:
    """How many FLOPs each unit takes part in once others are gone: [units], by the units' numbers.

    Of a unit that stands at several axes of one weight the FLOPs are counted at each, as a derivative would.

    Args:
        graph: the channel graph.
        removed: units that are gone; their own entries are 0.
    """
    gone = np.fromiter(removed, np.int64)
    shapes = graph.shapes_without(removed)
    found = np.zeros(1 + max(int(axis.units.max(initial=0)) for axis in graph.axes))

    def add(units: Atoms, flops: int) -> None:
        np.add.at(found, units[~np.isin(units, gone)], flops)

    once = {(axis.parameter, axis.axis): axis for axis in graph.axes}  # an axis may stand there in two roles
    for axis in once.values():
        positions = graph.uses.get(axis.parameter, 0)
        if positions:
            others = (size for number, size in enumerate(shapes[axis.parameter]) if number != axis.axis)
            add(axis.units, positions * math.prod(others))
    for product in graph.products:
        left = [int((~np.isin(units, gone)).sum()) for units in product.axes]
        for number, units in enumerate(product.axes):
            add(units, product.flops * math.prod(left[:number] + left[number + 1 :]))
    return found
