"""The plan: which units of which group stay. A file that a person can review."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field, model_validator

from paddleprune.console import counted, listed
from paddleprune.errors import PlanError
from paddleprune.interfaces import Array
from paddleprune.pruning.outcome import Certificate, JointLoss, MeasuredLatency, Repair
from paddleprune.settings import EngineName
from paddleprune.signed import Signed, read_signed, write_signed
from paddleprune.specs import Contract

if TYPE_CHECKING:
    from paddleprune.graph import ChannelGraph
    from paddleprune.graph.branches import Branch


class Counts(Contract):
    """Parameters, and FLOPs of one forward pass of one sample (one FLOP is one multiply-add)."""

    parameters: int
    flops: int


class GroupPlan(Contract):
    """What stays of one group.

    Attributes:
        units: how many units the group had.
        keep: which of them stay, ascending.
        ratio: the share of units that was asked to go; `keep` says what really goes, after rounding.
        most: how many units can go at once, where more were asked for: every axis keeps a channel.
        expected_loss: the table's metric loss at that ratio, interpolated; for this group alone.
    """

    units: int = Field(ge=1)
    keep: tuple[int, ...] = Field(min_length=1)
    ratio: float = Field(ge=0, le=1)
    most: int | None = None
    expected_loss: float | None = None

    @model_validator(mode="after")
    def _within(self) -> GroupPlan:
        if any(b <= a for a, b in pairwise(self.keep)):
            raise ValueError("keep must be ascending, each unit once")
        if self.keep[0] < 0 or self.keep[-1] >= self.units:
            raise ValueError(f"keep names units from {self.keep[0]} to {self.keep[-1]}, of 0 to {self.units - 1}")
        return self


class BranchPlan(Contract):
    """A branch that goes as a whole.

    Attributes:
        expected_loss: the table's metric loss without it; None without a table.
    """

    expected_loss: float | None = None


class Buffer(Contract):
    """The content of a buffer that `state_dict()` leaves out, though a cut may change it.

    Attributes:
        shape: its shape after the cut.
        dtype: NumPy's name of its type.
        content: its numbers' bytes, in base64.
    """

    shape: tuple[int, ...]
    dtype: str = Field(pattern="^(bool|u?int(8|16|32|64)|float(16|32|64))$")
    content: str

    @classmethod
    def of(cls, array: Array) -> Buffer:
        """The buffer that holds an array."""
        content = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
        return cls(shape=array.shape, dtype=array.dtype.name, content=content)

    def array(self) -> Array:
        """The content.

        Raises:
            ValueError: it isn't of that shape.
        """
        found = np.frombuffer(base64.b64decode(self.content, validate=True), self.dtype)
        return found.reshape(self.shape).copy()

    @model_validator(mode="after")
    def _is_whole(self) -> Buffer:
        self.array()
        return self


class Plan(Signed):
    """Group -> the units that stay, with what was asked for and what it gives.

    Of a checkpoint that was cut several times it says what went of the dense network in all; its budget, criterion,
    certificate, repair, losses and latency are those of the last cut.

    Attributes:
        model: hash of the dense weights that the plan was made for; empty where it fits any.
        eval_metric_loss: the tolerance that the plan was made for; None for ratios by hand.
        budget: the limits that the plan was made for, as they were given: a share up to 1, a number above.
        criterion: what ranked the units of a group.
        engine: what numbers the units of a group, and removes them.
        groups: only groups that lose units.
        branches: the residual branches that go as a whole, with all groups that are nowhere else.
        before: the dense model.
        after: the shrunk model.
        attributes: layer -> attribute -> value, where shrinking changed what the shapes don't tell: `_groups` of
            depthwise convolutions, `num_heads`.
        emptied: the layers that went with branches -> how many axes their outputs have, once the plan has been
            carried out.
        buffers: those that a cut may change and that no weights file holds, once the plan has been carried out.
        certificate: set when the plan has been carried out.
        repair: set when what was left has been repaired.
        joint: set when the whole plan's loss has been measured.
        latency: set when latency was asked for, and measured.
    """

    signed_since: ClassVar[int] = 2
    way_out: ClassVar[str] = "load_plan(graph, path, edited=True) takes a plan that you changed, else make it again"

    schema_version: int = 2
    model: str = ""
    eval_metric_loss: float | None
    budget: dict[str, float | str] = Field(default_factory=dict)
    criterion: str
    engine: EngineName = "native"
    groups: dict[str, GroupPlan]
    branches: dict[str, BranchPlan] = Field(default_factory=dict)
    before: Counts
    after: Counts
    attributes: dict[str, dict[str, Annotated[int, Field(ge=1)]]] = Field(default_factory=dict)
    emptied: dict[str, int] = Field(default_factory=dict)
    buffers: dict[str, Buffer] = Field(default_factory=dict)
    certificate: Certificate | None = None
    repair: Repair | None = None
    joint: JointLoss | None = None
    latency: MeasuredLatency | None = None

    def check_model(self, digest: str) -> None:
        """Refuse a plan for other weights, by their hash: they rank their units otherwise.

        Raises:
            PlanError: it was made for other weights.
        """
        if self.model not in ("", digest):
            raise PlanError(
                "the plan was made for other weights than this model's; make it again, or, if those units are meant, "
                'set its "model" to "" and load it with edited=True'
            )

    def removed(self, graph: ChannelGraph) -> list[int]:
        """The units that go, as the graph numbers them.

        Raises:
            PlanError: the plan was made for another network.
        """
        gone: list[int] = []
        for name, part in self.groups.items():
            group = graph[name]
            if group.protected or len(group.units) != part.units:
                raise PlanError(
                    f"the plan keeps {len(part.keep)} of {part.units} units of {name!r}, "
                    f"but this network has {group.size} there{f' ({group.protected})' if group.protected else ''}; "
                    "make the plan again from a table of this network"
                )
            keep = set(part.keep)
            mine = [unit for i, unit in enumerate(group.units) if i not in keep]
            if group.removable(mine) != mine:
                raise PlanError(
                    f"the plan leaves a layer without channels, since the units of {name!r} that it keeps "
                    f"({len(part.keep)} of {part.units}) aren't on every axis that the group fills; keep more of them"
                )
            gone.extend(mine)
        return gone + [self._branch(graph, name).unit for name in self.branches]

    @staticmethod
    def _branch(graph: ChannelGraph, name: str) -> Branch:
        found = next((branch for branch in graph.branches if branch.name == name), None)
        if found is None or found.protected:
            why = found.protected if found else "it was traced without depth" if not graph.branches else "it has none"
            raise PlanError(f"the branch {name!r} can't go: {why}")
        return found

    @property
    def cuts(self) -> bool:
        """Does anything go?"""
        return bool(self.groups or self.branches)

    def same_cut(self, other: Plan) -> bool:
        """Does the same go?"""
        return (self.groups, self.branches) == (other.groups, other.branches)

    def expecting(self, losses: Mapping[str, float], eval_metric_loss: float | None = None) -> Plan:
        """The same plan, which says what a table expects.

        Args:
            losses: group name -> the metric loss that the table expects.
            eval_metric_loss: the tolerance that the plan is made for.
        """
        groups = {
            name: part.model_copy(update={"expected_loss": losses.get(name)}) for name, part in self.groups.items()
        }
        return self.model_copy(update={"groups": groups, "eval_metric_loss": eval_metric_loss})

    @property
    def expected(self) -> list[float]:
        """The losses that a table expects, of all that goes; empty without a table."""
        losses = [part.expected_loss for part in self.groups.values()]
        losses += [part.expected_loss for part in self.branches.values()]
        return [loss for loss in losses if loss is not None]

    def contents(self) -> dict[str, Array]:
        """The buffers that no weights file holds, by name."""
        return {name: buffer.array() for name, buffer in self.buffers.items()}

    def summary(self) -> str:
        """One line: what goes, and of which groups less than was asked for."""
        parameters = 1 - self.after.parameters / max(self.before.parameters, 1)
        flops = 1 - self.after.flops / max(self.before.flops, 1)
        return (
            f"{' and '.join(self._what())}: "
            f"parameters {self.before.parameters:,} -> {self.after.parameters:,} (-{parameters:.1%}), "
            f"FLOPs {self.before.flops:,} -> {self.after.flops:,} (-{flops:.1%}){self._short()}"
        )

    def _what(self) -> Iterator[str]:
        """How many groups lose units, and how many branches go."""
        if self.groups or not self.branches:
            yield f"{counted(len(self.groups), 'group')} {'loses' if len(self.groups) == 1 else 'lose'} units"
        if self.branches:
            yield "1 branch goes" if len(self.branches) == 1 else f"{len(self.branches)} branches go"

    def _short(self) -> str:
        """The groups of which more was asked for than can go."""
        short = [f"{name} {part.most} of {part.units}" for name, part in self.groups.items() if part.most is not None]
        if not short:
            return ""
        names = listed(short, "more groups")
        return f"; more was asked for than can go, as every layer keeps a channel: {names}"

    def save(self, path: Path) -> None:
        """Write the plan as JSON, atomically."""
        write_signed(path, self)

    @classmethod
    def load(cls, path: Path, *, edited: bool = False) -> Plan:
        """Read a plan.

        Args:
            path: its file.
            edited: somebody changed the file on purpose.

        Raises:
            PlanError: the file isn't one, or isn't what was saved.
        """
        return read_signed(path, cls, PlanError, edited=edited)
