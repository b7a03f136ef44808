"""The channel graph: groups of units, and the parameter axes that they live on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from paddleprune.amounts import FLOP as FLOP
from paddleprune.errors import UnknownNameError
from paddleprune.graph.atoms import Atoms
from paddleprune.graph.branches import Branch, chosen

Role: TypeAlias = Literal["own", "read", "follow", "index"]
"""A producer axis owns units, a consumer axis reads them, bias and normalization vectors follow them.
An index axis holds numbers of channels: its entries go with the units that they pick.
"""
Shape: TypeAlias = tuple[int, ...]
Call: TypeAlias = tuple[str, int]
"""A layer's structured name, and which of its calls in a forward."""


@dataclass(frozen=True)
class Axis:
    """One axis of a parameter or buffer.

    Attributes:
        parameter: its structured name.
        axis: which of its axes.
        role: what the axis has to do with the units.
        units: [size of the axis], the unit at each position; the same unit may stand at several.
        source: of an index: [channels], the unit at each position of the axis that its numbers point into.
    """

    parameter: str
    axis: int
    role: Role
    units: Atoms
    source: Atoms | None = None


@dataclass(frozen=True)
class Read:
    """One place where a consumer reads channels: what masking multiplies by 0 or 1.

    Attributes:
        op: which operation of the traced program reads.
        operand: which of its operands is read.
        axis: the channel axis of that operand.
        units: [channels], the unit at each position of that axis.
    """

    op: int
    operand: int
    axis: int
    units: Atoms


@dataclass(frozen=True)
class Width:
    """An attribute of a layer that says how many units there are, such as `num_heads`, or a size in its forward.

    Attributes:
        layer: the layer's structured name.
        attribute: the attribute's name, or that of a size, as `paddleprune.graph.telling` has it.
        units: [its value], the units that it counts.
    """

    layer: str
    attribute: str
    units: Atoms


@dataclass(frozen=True)
class Written:
    """A size that a forward writes, and that may have to be told.

    Attributes:
        size: the layer and the size's name, with the units that it counts.
        attribute: which attribute of the layer it is; None where it is something else.
        needed: whether it must be told, which no trial needs to find out.
    """

    size: Width
    attribute: str | None
    needed: bool = False


@dataclass(frozen=True)
class Product:
    """A product of activations: FLOPs that no parameter stands for.

    Attributes:
        flops: of one image, for each combination of what stays along the axes below.
        axes: [channels] each, the unit at each position of an axis that may be cut.
        op: which operation of the traced program computes it; None where that isn't known.
    """

    flops: int
    axes: tuple[Atoms, ...]
    op: int | None = None


@dataclass(frozen=True)
class Ends:
    """Where what a forward chooses from is there.

    Attributes:
        calls: of layers, whose results are compared instead of the outputs; none where the outputs are.
        behind: what the forward does with these results, an entry for each operation. A cut may not change it: a
            number among it may be a width.
    """

    calls: tuple[Call, ...] = ()
    behind: tuple[str, ...] = ()


class Limits:
    """Sets of units, of each of which one must stay.

    Args:
        limits: the sets.
    """

    def __init__(self, limits: Iterable[tuple[int, ...]]) -> None:
        self._left: list[int] = []
        self._of: dict[int, list[int]] = {}
        for number, limit in enumerate(limits):
            self._left.append(len(limit))
            for unit in limit:
                self._of.setdefault(unit, []).append(number)

    def let_go(self, unit: int) -> bool:
        """Whether a unit may go after those that went before; if so, it does."""
        mine = self._of.get(unit, ())
        if any(self._left[number] <= 1 for number in mine):
            return False
        for number in mine:
            self._left[number] -= 1
        return True


@dataclass(frozen=True)
class Group:
    """The units that one decision ranks against each other.

    Attributes:
        name: the layer that first produces the group's channels, e.g. `features.3.conv.0`.
        units: the units that may be removed, in the order of the producer's channels.
        width: number of units, protected ones included.
        limits: sets of its units, of each of which one must stay: what lies along an axis that would else be empty.
        protected: why the group may not be pruned; None if it may.
        inexact: why a masked channel of it isn't a missing one, so that it is measured shrunk; None if it is.
        stay: the units that can't be removed, whatever is asked.
        why_stay: why the first of them can't.
    """

    name: str
    units: tuple[int, ...]
    width: int
    limits: tuple[tuple[int, ...], ...] = ()
    protected: str | None = None
    inexact: str | None = None
    stay: tuple[int, ...] = ()
    why_stay: str | None = None

    @property
    def size(self) -> int:
        """How many units may be removed, though not all at once."""
        return 0 if self.protected else len(self.units)

    def count(self, ratio: float) -> int:
        """How many units a ratio asks for; `removable` says which of them can go."""
        return int(ratio * self.size + 0.5)

    def removable(self, order: Iterable[int] | None = None) -> list[int]:
        """The units that can go together, so that every axis keeps a channel.

        Any number of them may go from the front: whoever removes more removes the same, and others.

        Args:
            order: its units, those first that should go first; by default the order of the producer's channels.
        """
        limits = Limits(self.limits)
        return [unit for unit in (self.units if order is None else order) if limits.let_go(unit)]


@dataclass(frozen=True)
class Cost:
    """Parameters (numbers that training changes) and FLOPs of one forward pass of one sample.

    One FLOP is one multiply-add of a convolution, a linear layer or a matrix product.
    """

    parameters: int
    flops: int


@dataclass(frozen=True)
class ChannelGraph:
    """What may be cut from a network, and what goes with it.

    Attributes:
        inputs: what was traced: for each argument of the forward an `Input`, or a nest of them.
        groups: in the network's order, the protected ones included.
        axes: every parameter axis that a unit lives on.
        reads: every place where a consumer reads channels.
        shapes: structured name -> shape, of every parameter and buffer of the dense network.
        parameters: the names that count as parameters: running statistics don't.
        uses: structured name -> FLOPs of its operations per number in it (output positions, for one image).
        products: products of activations.
        widths: attributes of layers, and sizes in their forwards, that count units.
        written: sizes in forwards that could be told; nobody knows yet whether they must.
        quiet: units that are read without weights too, so that masking silences what makes them as well.
        uncounted: kinds of operations that were not counted, though they compute.
        trains: whether the network's own code does something else in training, which a cut must survive, too.
        untraced: why that training forward can't be followed; None if it can.
        shifts: weight -> the running mean that can take up a constant added to the output of the weight's layer.
        branches: the residual branches, the protected ones included; empty where nobody asked for them.
        operations: what each operation of the traced program is called.
        ends: what a proof compares instead of the outputs, where a forward ends in a choice.
    """

    inputs: tuple[Any, ...]
    groups: tuple[Group, ...]
    axes: tuple[Axis, ...]
    reads: tuple[Read, ...]
    shapes: Mapping[str, Shape]
    parameters: frozenset[str]
    uses: Mapping[str, int]
    products: tuple[Product, ...] = ()
    widths: tuple[Width, ...] = ()
    written: tuple[Written, ...] = ()
    quiet: frozenset[int] = frozenset()
    uncounted: frozenset[str] = frozenset()
    trains: bool = False
    untraced: str | None = None
    shifts: Mapping[str, str] = field(default_factory=dict)
    branches: tuple[Branch, ...] = ()
    operations: tuple[str, ...] = ()
    ends: Ends = field(default_factory=Ends)

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

    @cached_property
    def numbers(self) -> int:
        """How many numbers of units there are, those of fixed channels and of branches included."""
        channels = max((int(axis.units.max(initial=0)) for axis in self.axes), default=0)
        return 1 + max((branch.unit for branch in self.branches), default=channels)

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
        removed = list(removed)
        units, lost = np.array(removed, np.int64), self.lost(removed)
        gone = np.zeros(max(self.numbers, 1 + int(units.max(initial=0))), bool)
        gone[units] = True
        found: dict[str, dict[int, Atoms]] = {}
        for axis in self.axes:
            cut = gone[axis.units]
            if axis.parameter not in lost and cut.any():
                found.setdefault(axis.parameter, {})[axis.axis] = np.flatnonzero(~cut)
        return found

    def gone(self, removed: Collection[int]) -> list[Branch]:
        """The branches that are among some units."""
        return chosen(self.branches, removed) if self.branches else []

    def inside(self, branch: Branch) -> frozenset[int]:
        """The units that are nowhere but in a branch: those of its groups, and the branches within it."""
        groups = [
            group
            for group in self.groups
            if branch.parameters.issuperset(axis.parameter for axis in self.axes_of[group.name])
        ]
        within = [other.unit for other in self.branches if other.within(branch)]
        return frozenset([*within, *(unit for group in groups for unit in group.units)])

    def lost(self, removed: Collection[int]) -> frozenset[str]:
        """The parameters and buffers that go as a whole, with the branches among some units."""
        return frozenset(name for branch in self.gone(removed) for name in branch.parameters)

    def inexact_units(self, removed: Iterable[int]) -> list[int]:
        """Those of some units whose masking isn't removing."""
        inexact = {unit for group in self.groups if group.inexact for unit in group.units}
        return [unit for unit in removed if unit in inexact]

    def without(self, removed: Iterable[int]) -> ChannelGraph:
        """The graph of the network that lacks these units; what stays keeps its numbers."""
        removed = tuple(removed)
        gone = np.fromiter(removed, np.int64)

        def rest(units: Atoms) -> Atoms:
            return units[~np.isin(units, gone)]

        dropped, lost, parts = frozenset(removed), self.lost(removed), self.gone(removed)
        ops = frozenset(op for branch in parts for op in branch.ops)
        groups = []
        for group in self.groups:
            units, *limits = (
                tuple(unit for unit in part if unit not in dropped) for part in (group.units, *group.limits)
            )
            width = group.width - len(group.units) + len(units)
            groups.append(replace(group, units=units, width=width, limits=tuple(filter(None, limits))))
        return replace(
            self,
            groups=tuple(groups),
            axes=tuple(
                replace(axis, units=rest(axis.units), source=None if axis.source is None else rest(axis.source))
                for axis in self.axes
                if axis.parameter not in lost
            ),
            reads=tuple(replace(read, units=rest(read.units)) for read in self.reads if read.op not in ops),
            shapes={name: shape for name, shape in self.shapes_without(removed).items() if name not in lost},
            parameters=self.parameters - lost,
            uses={name: positions for name, positions in self.uses.items() if name not in lost},
            products=tuple(replace(p, axes=tuple(map(rest, p.axes))) for p in self.products if p.op not in ops),
            widths=tuple(replace(width, units=rest(width.units)) for width in self.widths),
            branches=tuple(b for b in self.branches if b not in parts and not any(b.within(p) for p in parts)),
        )

    def shapes_without(self, removed: Iterable[int]) -> dict[str, Shape]:
        """The shape of every parameter and buffer once these units are gone: zeros for what goes as a whole."""
        removed, shapes = list(removed), dict(self.shapes)
        shapes.update({name: (0,) * len(shapes[name]) for name in self.lost(removed)})
        for name, axes in self.keeps(removed).items():
            shapes[name] = tuple(len(axes[i]) if i in axes else n for i, n in enumerate(shapes[name]))
        return shapes

    def cost(self, removed: Collection[int] = ()) -> Cost:
        """Parameters and FLOPs once these units are gone."""
        shapes = self.shapes_without(removed)
        parameters = sum(math.prod(shapes[name]) for name in self.parameters)
        flops = sum(positions * math.prod(shapes[name]) for name, positions in self.uses.items())
        gone = np.fromiter(removed, np.int64)
        ops = frozenset(op for branch in self.gone(removed) for op in branch.ops)
        for product in self.products:
            if product.op in ops:
                continue
            flops += product.flops * math.prod(int((~np.isin(units, gone)).sum()) for units in product.axes)
        return Cost(parameters, flops)

    def protecting(self, reasons: Mapping[str, str]) -> ChannelGraph:
        """The same graph with more groups and branches protected: name -> reason."""
        branches = tuple(replace(b, protected=b.protected or reasons.get(b.name)) for b in self.branches)
        for name in reasons.keys() - {branch.name for branch in branches}:
            self[name]
        groups = tuple(replace(group, protected=group.protected or reasons.get(group.name)) for group in self.groups)
        return replace(self, groups=groups, branches=branches)
