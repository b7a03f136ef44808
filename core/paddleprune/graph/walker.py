"""The state of a walk over a traced network: tracks of every value, and what parameters have to do with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from paddleprune.graph.atoms import FIXED, Atoms, AtomTable, Track, Tracks, collapse
from paddleprune.graph.channels import Product, Read, Role, Shape
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.views import ParameterAxis, View
from paddleprune.interfaces import Array

Attention: TypeAlias = Literal["heads", "dims"]
"""What attention loses: whole heads, or the same offsets of every head."""


ALONE = "its channels stand or fall together, as one unit"


@dataclass
class Walker:
    """What the op rules read and write.

    Attributes:
        shapes: structured name -> shape of every parameter and buffer.
        indices: structured name -> contents of the buffers that hold integers.
        attention: what attention loses.
        views: value id -> the parameter that the value is.
        tracks: value id -> tracks; a value that isn't there has nothing that could be removed.
        loose: value id -> axes along which all positions are the same, so that they adapt to what they meet.
        lists: value id -> the values of a list.
        packed: value id -> the operation that packed a list.
        pieces: id of a list that one operation cut -> tracks and loose axes of each of its values.
        constants: value id -> the number or numbers that an operation made out of nothing.
        axes: (parameter, axis) -> role and atoms.
        reads: where consumers read channels.
        quiet: atoms that are read without weights.
        grids: atoms of an axis that a reshape cut into factors, and which factor adapts, if the forward says so:
            what is left must be a grid again.
        heads: of queries, keys and values: what attention loses, and [that, the rest] atoms.
        uses: parameter -> FLOPs of its operations per number in it.
        products: products of activations.
        uncounted: kinds of operations that have no rule.
        counted: FLOPs of operations whose weights are no parameters.
        makers: value id -> the operation that made it.
        told: ids of values whose sizes the forward can be told, and of parts whose bounds it can.
        changed: the same of values that it changes in part, whose bounds it can be told. Both say what the value was
            called when it was heard: one that changes in place becomes another one.
        relied: those that it must be told, since channels go from them one by one.
        strangers: value ids of parameters that the network doesn't list.
        lost: parameters that a layer's weight may be, though it isn't followed -> why.
        at: the number of the operation at hand.
        useful: whether the operation at hand has a part in an output. What hasn't (heads that only training uses) is
            dropped by inference, so that its FLOPs don't count and nobody needs to mask what it reads.
    """

    shapes: Mapping[str, Shape]
    indices: Mapping[str, Array]
    attention: Attention = "heads"
    table: AtomTable = field(default_factory=AtomTable)
    views: dict[str, View] = field(default_factory=dict)
    tracks: dict[str, Tracks] = field(default_factory=dict)
    loose: dict[str, frozenset[int]] = field(default_factory=dict)
    lists: dict[str, list[Value]] = field(default_factory=dict)
    packed: dict[str, Op] = field(default_factory=dict)
    pieces: dict[str, list[tuple[Tracks, frozenset[int]]]] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    axes: dict[tuple[str, int], ParameterAxis] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    quiet: list[Atoms] = field(default_factory=list)
    grids: list[tuple[Atoms, int | None]] = field(default_factory=list)
    heads: list[tuple[Attention, Atoms]] = field(default_factory=list)
    uses: dict[str, int] = field(default_factory=dict)
    products: list[Product] = field(default_factory=list)
    uncounted: set[str] = field(default_factory=set)
    counted: int = 0
    makers: dict[str, Op] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    relied: set[str] = field(default_factory=set)
    strangers: frozenset[str] = frozenset()
    lost: dict[str, str] = field(default_factory=dict)
    at: int | None = None
    useful: bool = True

    # -- values ---------------------------------------------------------------------------------

    def get(self, value: Value) -> Tracks:
        """The tracks of a value. A parameter that is used like an activation gets one along its channels."""
        if value.id in self.views:
            self._materialize(value)
        return self.tracks.get(value.id, ())

    def put(self, value: Value | None, tracks: Iterable[Track], loose: Iterable[int] = ()) -> None:
        """Say which tracks a value has, and along which axes all of its positions are the same.

        What is all that lies along an axis can't go: nothing would be left.
        """
        if value is None:
            return
        kept = [Track(collapse(track.atoms), track.zero) for track in tracks]
        self.tracks[value.id] = tuple(track for track in kept if track.axes)
        for track in kept:
            if not track.axes:
                self.table.fix(track.atoms, ALONE)
        if loose:
            self.loose[value.id] = frozenset(loose)

    def put_along(self, value: Value, axis: int, atoms: Atoms, rest: Iterable[Track] = (), zero: bool = True) -> None:
        """Say that a value carries a vector of atoms along one axis, and perhaps other tracks."""
        shape = [1] * len(value.shape or ())
        shape[axis] = len(atoms)
        self.put(value, [*rest, Track(atoms.reshape(shape), zero)])

    def loose_axes(self, value: Value) -> frozenset[int]:
        """Axes along which all positions are the same."""
        return self.loose.get(value.id, frozenset())

    def embody(self, value: Value, axis: int) -> None:
        """Let an axis along which all positions are the same have channels of its own, if its size can be told."""
        if not axis or axis not in self.loose_axes(value) or value.id not in self.told:
            return
        constant, atoms = self.constant(value), self.table.fresh((value.shape or ())[axis])
        self.relied.add(self.told[value.id])
        for part in {value.id: value, self.told[value.id]: Value(self.told[value.id], value.shape)}.values():
            loose = self.loose_axes(part)
            self.put_along(part, axis, atoms, self.get(part), constant is not None and not np.any(constant))
            self.loose[part.id] = loose - {axis}

    def fix(self, value: Value, reason: str, foremost: bool = False) -> None:
        """Protect everything that a value carries, or that the parameter owns which it is."""
        for part in self.lists.get(value.id, [value]):
            for track in self.tracks.get(part.id, ()):
                self.table.fix(track.atoms, reason, foremost)
            for tracks, _ in self.pieces.get(part.id, ()):
                for track in tracks:
                    self.table.fix(track.atoms, reason)
            if part.id in self.views:
                self._fix_parameter(self.views[part.id].name, reason)

    def touches(self, value: Value) -> bool:
        """Does a value carry anything that could be removed, or is it a parameter?"""
        parts = self.lists.get(value.id, [value])
        return any(self.tracks.get(p.id) or p.id in self.views or p.id in self.pieces for p in parts)

    def vector(self, value: Value, axis: int, op: Op) -> tuple[Track, Tracks]:
        """What lies along one axis of a value: its track as a vector, and the tracks along other axes.

        Where no single track lies there, what does is protected and the vector is fixed.
        """
        shape = value.shape or ()
        axis %= len(shape)
        here = [track for track in self.get(value) if axis in track.axes]
        rest = tuple(track for track in self.get(value) if axis not in track.axes)
        if len(here) == 1 and here[0].axes == {axis}:
            return Track(here[0].atoms.ravel(), here[0].zero), rest
        for track in here:
            self.table.fix(track.atoms, f"{op.name} at {op.where} reads channels that lie along several axes")
        return Track(np.zeros(shape[axis], np.int64)), rest

    def constant(self, value: Value | None) -> Any:
        """The number or numbers that a value is known to be; None if it isn't known."""
        return None if value is None else self.constants.get(value.id)

    # -- parameters -----------------------------------------------------------------------------

    def is_parameter(self, value: Value | None) -> bool:
        """Is it a parameter or buffer of the network?"""
        return value is not None and value.id in self.views

    def note(self, value: Value, axis: int, role: Role, atoms: Atoms, source: Atoms | None = None) -> None:
        """Record what an axis of a parameter has to do with atoms; a second use ties both together."""
        view = self.views[value.id]
        own = view.axes[axis]
        if own is None:
            self.table.fix(atoms, f"{view.name} has no axis for it")
        else:
            self._note(view.name, own, ParameterAxis({role}, atoms, source))

    def _note(self, name: str, axis: int, said: ParameterAxis) -> None:
        known = self.axes.setdefault((name, axis), said)
        if known is said:
            return
        reason = f"{name} is used twice, and one use can't be cut"
        self.table.unite(known.atoms, said.atoms, reason)
        known.atoms = np.where(known.atoms == FIXED, said.atoms, known.atoms)
        if known.source is not None and said.source is not None:
            self.table.unite(known.source, said.source, reason)
        known.roles |= said.roles
        if "index" in known.roles and len(known.roles) > 1:
            self.table.fix(known.atoms, f"{name} is used twice, in different roles")

    def _fix_parameter(self, name: str, reason: str) -> None:
        for axis, size in enumerate(self.shapes[name]):
            self._note(name, axis, ParameterAxis({"follow"}, self.table.fresh(size)))
            self.table.fix(self.axes[name, axis].atoms, reason)

    def _materialize(self, value: Value) -> None:
        """A parameter that takes an activation's place: its channels lie along the second of four axes, or the last."""
        shape = value.shape or ()
        long = [i for i, n in enumerate(shape) if n > 1 and self.views[value.id].axes[i] is not None]
        if value.id in self.tracks or not long:
            return
        axis = 1 if len(shape) == 4 and 1 in long else long[-1]
        own = self.views[value.id].axes[axis]
        known = self.axes.get((self.views[value.id].name, own if own is not None else -1))
        atoms = self.table.fresh(shape[axis]) if known is None else known.atoms
        self.note(value, axis, "follow", atoms)
        self.put_along(value, axis, atoms)

    # -- what consumers do ----------------------------------------------------------------------

    def read(self, op: Op, operand: int, axis: int, atoms: Atoms) -> None:
        """Record that a consumer with weights reads channels."""
        if self.useful:
            self.reads.append(Read(op.index, operand, axis, atoms))

    def read_plain(self, op: Op, operand: int, axis: int, track: Track) -> None:
        """Record that a consumer without weights reads channels: a masked channel must be zero there."""
        if track.zero:
            self.read(op, operand, axis, track.atoms)
            self.quiet.append(track.atoms)
        else:
            self.table.fix(track.atoms, f"{op.name} at {op.where} reads channels that can't be silenced")

    def use(self, value: Value, positions: int) -> None:
        """Count FLOPs: each number of the parameter is multiplied and added `positions` times an image."""
        if not self.useful:
            return
        name = self.views[value.id].name
        self.uses[name] = self.uses.get(name, 0) + positions

    def multiply(self, product: Product) -> None:
        """Count the FLOPs of a product of activations."""
        if self.useful:
            self.products.append(replace(product, op=self.at))

    def count(self, flops: int) -> None:
        """Count FLOPs that no cut changes."""
        if self.useful:
            self.counted += flops

    def lose(self, name: str, reason: str) -> None:
        """Say why a parameter can't be followed: it is listed if it looks like a layer's weight.

        It is protected, unless a layer that is followed uses it, too: then what it gives is.
        """
        self.lost.setdefault(name, reason)
        roles = {role for axis in range(len(self.shapes[name])) for role in self._roles(name, axis)}
        if roles.isdisjoint(("own", "read")):
            self._fix_parameter(name, reason)

    def _roles(self, name: str, axis: int) -> set[Role]:
        known = self.axes.get((name, axis))
        return known.roles if known else set()

    def list_lost(self) -> None:
        """Let the weights that aren't followed own their filters, so that they are groups, with the reason."""
        for name in self.lost:
            shape = self.shapes[name]
            axis = 1 if len(shape) == 2 else 0
            owned = any("own" in self._roles(name, i) for i in range(len(shape)))
            if len(shape) > 1 and shape[axis] > 1 and not owned:
                self.axes[name, axis].roles.add("own")

    def regular(self, grid: Atoms, axis: int) -> Atoms:
        """Tie a grid of atoms so that it varies along one axis only: that axis, as a vector."""
        for other in range(grid.ndim):
            if other != axis:
                self.table.tie_across(grid, other)
                grid = grid.take([0], other)
        return grid.ravel()

    def along(self) -> list[Atoms]:
        """The atoms that lie along axes of values: an axis can't lose all of them."""
        atoms = {id(track.atoms): track.atoms for tracks in self.tracks.values() for track in tracks}
        found = [np.unique(self.table.find(part)) for part in atoms.values()]
        for units in found:
            if len(units) == 1:
                self.table.fix(units, ALONE)
        return found

    def settle_grids(self) -> None:
        """Tie what reshapes cut into factors so that a grid is left: by preference along the factor that adapts."""
        for grid, adapts in self.grids:
            found = self.table.find(grid)
            varying = [i for i in range(grid.ndim) if (found != found.take([0], i)).any()]
            if len(varying) > 1:
                longest = max(reversed(varying), key=lambda i: grid.shape[i])
                self.regular(found, adapts if adapts in varying else longest)
