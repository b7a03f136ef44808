"""The channel graph: groups of units, and the parameter axes that they live on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from paddleprune.errors import UnknownNameError
from paddleprune.graph.atoms import Atoms

Role: TypeAlias = Literal["own", "read", "follow"]
"""A producer axis owns units, a consumer axis reads them, bias and normalization vectors follow them."""
Shape: TypeAlias = tuple[int, ...]
FLOP = "one multiply-add of a convolution, a linear layer or a matrix product"


@dataclass(frozen=True)
class Axis:
    """One axis of a parameter or buffer.

    Attributes:
        parameter: its structured name.
        axis: which of its axes.
        role: what the axis has to do with the units.
        units: [size of the axis], the unit at each position; the same unit may stand at several.
    """

    parameter: str
    axis: int
    role: Role
    units: Atoms


@dataclass(frozen=True)
class Read:
    """One place where a consumer reads channels: what masking multiplies by 0 or 1.

    Attributes:
        parameter: the consumer's weight.
        use: which use of that weight, counted from 0 in the order of the forward.
        axis: the channel axis of the activation that is read.
        units: [channels], the unit at each position of that axis.
    """

    parameter: str
    use: int
    axis: int
    units: Atoms


@dataclass(frozen=True)
class Group:
    """The units that one decision ranks against each other.

    Attributes:
        name: the layer that first produces the group's channels, e.g. `features.3.conv.0`.
        units: the units that may be removed, in the order of the producer's channels.
        width: number of units, protected ones included.
        protected: why the group may not be pruned; None if it may.
    """

    name: str
    units: tuple[int, ...]
    width: int
    protected: str | None = None

    @property
    def size(self) -> int:
        """How many units may be removed, the last one included."""
        return 0 if self.protected else len(self.units)

    def count(self, ratio: float) -> int:
        """How many units a ratio removes: rounded, and at least one unit stays."""
        return max(0, min(int(ratio * self.size + 0.5), self.width - 1, self.size))


@dataclass(frozen=True)
class Cost:
    """Parameters (numbers that training changes) and FLOPs of one forward pass of one image.

    One FLOP is one multiply-add of a convolution, a linear layer or a matrix product.
    """

    parameters: int
    flops: int


@dataclass(frozen=True)
class ChannelGraph:
    """What may be cut from a network, and what goes with it.

    Attributes:
        inputs: the shape of each input that was traced, batch axis included.
        groups: in the network's order, the protected ones included.
        axes: every parameter axis that a unit lives on.
        reads: every place where a consumer reads channels.
        shapes: structured name -> shape, of every parameter and buffer of the dense network.
        parameters: the names that count as parameters: running statistics don't.
        uses: structured name -> FLOPs of its operations per number in it (output positions, for one image).
        fixed_flops: FLOPs of operations that hold no parameters.
        uncounted: kinds of operations that were not counted, though they compute.
    """

    inputs: tuple[Shape, ...]
    groups: tuple[Group, ...]
    axes: tuple[Axis, ...]
    reads: tuple[Read, ...]
    shapes: Mapping[str, Shape]
    parameters: frozenset[str]
    uses: Mapping[str, int]
    fixed_flops: int = 0
    uncounted: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> Group:
        """A group by name.

        Raises:
            UnknownNameError: no group has that name.
        """
        if name not in self._by_name:
            near = get_close_matches(name, self._by_name, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "; `paddleprune explain` lists them"
            raise UnknownNameError(f"the network has no group {name!r}{hint}")
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Group]:
        return {group.name: group for group in self.groups}

    @property
    def prunable(self) -> tuple[Group, ...]:
        """The groups that aren't protected: at least one unit can go while one stays."""
        return tuple(group for group in self.groups if not group.protected)

    def filters(self, groups: Iterable[Group]) -> int:
        """How many filters (rows of producers) the units of some groups own."""
        units = np.fromiter((unit for group in groups for unit in group.units), np.int64)
        return sum(int(np.isin(axis.units, units).sum()) for axis in self.axes if axis.role == "own")

    @cached_property
    def axes_of(self) -> Mapping[str, tuple[Axis, ...]]:
        """Group name -> the axes that its units live on."""
        owner = {unit: group.name for group in self.groups for unit in group.units}
        found: dict[str, list[Axis]] = {group.name: [] for group in self.groups}
        for axis in self.axes:
            for name in {owner[unit] for unit in np.unique(axis.units).tolist() if unit in owner}:
                found[name].append(axis)
        return {name: tuple(axes) for name, axes in found.items()}

    def keeps(self, removed: Iterable[int]) -> dict[str, dict[int, Atoms]]:
        """Which positions stay on every axis that loses some: name -> axis -> indices."""
        gone = np.fromiter(removed, np.int64)
        found: dict[str, dict[int, Atoms]] = {}
        for axis in self.axes:
            cut = np.isin(axis.units, gone)
            if cut.any():
                found.setdefault(axis.parameter, {})[axis.axis] = np.flatnonzero(~cut)
        return found

    def shapes_without(self, removed: Iterable[int]) -> dict[str, Shape]:
        """The shape of every parameter and buffer once these units are gone."""
        shapes = dict(self.shapes)
        for name, axes in self.keeps(removed).items():
            shapes[name] = tuple(len(axes[i]) if i in axes else n for i, n in enumerate(shapes[name]))
        return shapes

    def cost(self, removed: Iterable[int] = ()) -> Cost:
        """Parameters and FLOPs once these units are gone."""
        shapes = self.shapes_without(removed)
        parameters = sum(math.prod(shapes[name]) for name in self.parameters)
        flops = sum(positions * math.prod(shapes[name]) for name, positions in self.uses.items())
        return Cost(parameters, flops + self.fixed_flops)

    def protecting(self, reasons: Mapping[str, str]) -> ChannelGraph:
        """The same graph with more groups protected: group name -> reason."""
        for name in reasons:
            self[name]
        groups = tuple(replace(group, protected=group.protected or reasons.get(group.name)) for group in self.groups)
        return replace(self, groups=groups)
