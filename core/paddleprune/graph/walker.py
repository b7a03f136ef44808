"""The state of a walk over a traced network: atoms of every value, and what parameters have to do with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paddleprune.graph.atoms import FIXED, Atoms, AtomTable, along, collapse
from paddleprune.graph.channels import Read, Role, Shape
from paddleprune.graph.trace import Op, Value


@dataclass
class Walker:
    """What the op rules read and write.

    Attributes:
        parameters: value id -> structured name of the parameter that the value is, maybe reshaped.
        shapes: structured name -> shape of the parameter itself.
        values: value id -> atoms; a value that isn't there has none that could be removed.
        lists: value id -> the values of a list.
        parts: id of the list that a split gives -> what was split, and along which axis.
        constants: value id -> the number or numbers that an operation made out of nothing.
        axes: (parameter, axis) -> role and atoms.
        reads: where consumers read channels.
        uses: parameter -> FLOPs of its operations per number in it.
        fixed_flops: FLOPs of operations without parameters.
        uncounted: kinds of operations that have no rule.
    """

    parameters: dict[str, str]
    shapes: Mapping[str, Shape]
    table: AtomTable = field(default_factory=AtomTable)
    values: dict[str, Atoms] = field(default_factory=dict)
    lists: dict[str, list[Value]] = field(default_factory=dict)
    parts: dict[str, tuple[Value, int]] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    axes: dict[tuple[str, int], tuple[Role, Atoms]] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    uses: dict[str, int] = field(default_factory=dict)
    fixed_flops: int = 0
    uncounted: set[str] = field(default_factory=set)

    # -- values ---------------------------------------------------------------------------------

    def get(self, value: Value) -> Atoms:
        """The atoms of a value, size 1 along every axis where they don't vary."""
        found = self.values.get(value.id)
        return np.full([1] * len(value.shape or ()), FIXED, np.int64) if found is None else found

    def full(self, value: Value) -> Atoms:
        """The atoms of a value at every position of its shape."""
        return np.broadcast_to(self.get(value), value.shape or ())

    def put(self, value: Value | None, atoms: Atoms) -> None:
        """Say which atoms a value carries."""
        if value is not None:
            self.values[value.id] = collapse(atoms)

    def fix(self, value: Value, reason: str) -> None:
        """Protect everything that a value carries, or that the parameter owns which it is."""
        for part in self.lists.get(value.id, [value]):
            self.table.fix(self.get(part), reason)
        if value.id in self.parameters:
            for axis, size in enumerate(self.shapes[self.parameters[value.id]]):
                if (self.parameters[value.id], axis) not in self.axes:
                    self.note(value, axis, "follow", np.zeros(size, np.int64))
                self.table.fix(self.axes[self.parameters[value.id], axis][1], reason)

    def vector(self, value: Value, axis: int, op: Op) -> Atoms:
        """The atoms along one axis; if they vary along another too, they are protected."""
        size = (value.shape or ())[axis]
        found = along(self.get(value), axis, size)
        if found is None:
            self.fix(value, f"{op.name} at {op.where} reads channels that lie along several axes")
            return np.zeros(size, np.int64)
        return found

    def constant(self, value: Value | None) -> Any:
        """The number or numbers that a value is known to be; None if it isn't known."""
        return None if value is None else self.constants.get(value.id)

    # -- parameters -----------------------------------------------------------------------------

    def is_parameter(self, value: Value | None) -> bool:
        """Is it a parameter or buffer of the network?"""
        return value is not None and value.id in self.parameters

    def note(self, value: Value, axis: int, role: Role, atoms: Atoms) -> None:
        """Record what an axis of a parameter has to do with atoms; a second use ties both together."""
        key = (self.parameters[value.id], axis)
        if key not in self.axes:
            self.axes[key] = (role, atoms)
            return
        old_role, old_atoms = self.axes[key]
        reason = f"{key[0]} is used twice, and one use can't be cut"
        self.table.unite(old_atoms, atoms, reason)
        if old_role != role:
            self.table.fix(old_atoms, f"{key[0]} is used twice, in different roles")

    def read(self, value: Value, channel: int, atoms: Atoms) -> None:
        """Record that a consumer with this weight reads channels."""
        name = self.parameters[value.id]
        use = sum(read.parameter == name for read in self.reads)
        self.reads.append(Read(name, use, channel, atoms))

    def use(self, value: Value, positions: int) -> None:
        """Count FLOPs: each number of the parameter is multiplied and added `positions` times an image."""
        name = self.parameters[value.id]
        self.uses[name] = self.uses.get(name, 0) + positions
