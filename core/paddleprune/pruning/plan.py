"""The plan: which units of which group stay. A file that a person can review."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from paddleprune.errors import PlanError
from paddleprune.files import read_json, write_json
from paddleprune.graph import ChannelGraph
from paddleprune.specs import Contract


class Counts(Contract):
    """Parameters, and FLOPs of one forward pass of one image (one FLOP is one multiply-add)."""

    parameters: int
    flops: int


class GroupPlan(Contract):
    """What stays of one group.

    Attributes:
        units: how many units the group had.
        keep: which of them stay, ascending.
        ratio: the share of units that was asked to go; rounding and the last unit make `keep` differ from it.
        expected_loss: the table's metric loss at that ratio, interpolated; for this group alone.
    """

    units: int = Field(ge=1)
    keep: tuple[int, ...] = Field(min_length=1)
    ratio: float = Field(ge=0, le=1)
    expected_loss: float | None = None


class Certificate(Contract):
    """The proof that what was cut is what was measured.

    Attributes:
        max_difference: largest absolute difference between the masked dense model's outputs and the shrunk one's.
        scale: largest absolute value of the masked model's outputs.
        tolerance: the largest share of `scale` that passes.
        batch: images in the probe batch.
    """

    max_difference: float
    scale: float
    tolerance: float
    batch: int

    @property
    def passed(self) -> bool:
        """Is the difference within the tolerance?"""
        return self.max_difference <= self.tolerance * max(self.scale, 1e-12)

    def describe(self) -> str:
        """One line: masked and shrunk give the same outputs, to which precision."""
        return (
            f"masked and shrunk outputs differ by at most {self.max_difference:.1e} "
            f"(they reach {self.scale:.3g}; {self.batch} images)"
        )


class Plan(Contract):
    """Group -> the units that stay, with what was asked for and what it gives.

    Attributes:
        eval_metric_loss: the tolerance that the plan was made for; None for ratios by hand.
        criterion: what ranked the units of a group.
        groups: only groups that lose units.
        before: the dense model.
        after: the shrunk model.
        convolution_groups: `groups` of each convolution where shrinking changed it (depthwise ones).
        certificate: set when the plan has been carried out.
    """

    schema_version: int = 1
    eval_metric_loss: float | None
    criterion: str
    groups: dict[str, GroupPlan]
    before: Counts
    after: Counts
    convolution_groups: dict[str, int] = Field(default_factory=dict)
    certificate: Certificate | None = None

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
            gone.extend(unit for i, unit in enumerate(group.units) if i not in keep)
        return gone

    def summary(self) -> str:
        """One line: what goes."""
        parameters = 1 - self.after.parameters / max(self.before.parameters, 1)
        flops = 1 - self.after.flops / max(self.before.flops, 1)
        return (
            f"{len(self.groups)} groups lose units: parameters {self.before.parameters:,} -> "
            f"{self.after.parameters:,} (-{parameters:.1%}), FLOPs {self.before.flops:,} -> "
            f"{self.after.flops:,} (-{flops:.1%})"
        )

    def save(self, path: Path) -> None:
        """Write the plan as JSON, atomically."""
        write_json(path, self)

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read a plan.

        Raises:
            PlanError: the file isn't one.
        """
        return read_json(path, cls, PlanError)


def make_plan(
    graph: ChannelGraph,
    ratios: Mapping[str, float],
    rankings: Mapping[str, list[int]],
    *,
    criterion: str,
    eval_metric_loss: float | None = None,
    expected: Mapping[str, float] | None = None,
) -> Plan:
    """Turn ratios into units.

    Args:
        graph: the network's channel graph.
        ratios: group name -> share of its units to remove.
        rankings: group name -> indices of its units, least important first.
        criterion: what made the rankings.
        eval_metric_loss: the tolerance that the ratios come from.
        expected: group name -> the metric loss that the table expects.

    Raises:
        UnknownNameError: a name isn't a group of the graph.
        PlanError: a group is protected, or a ratio isn't between 0 and 1.
    """
    groups: dict[str, GroupPlan] = {}
    for name, ratio in ratios.items():
        group = graph[name]
        if group.protected:
            raise PlanError(f"{name!r} may not be pruned: {group.protected}")
        if not 0 <= ratio <= 1:
            raise PlanError(f"the ratio of {name!r} must be between 0 and 1, got {ratio}")
        gone = set(rankings[name][: group.count(ratio)])
        if gone:
            keep = tuple(i for i in range(group.size) if i not in gone)
            groups[name] = GroupPlan(units=group.size, keep=keep, ratio=ratio, expected_loss=(expected or {}).get(name))
    before = graph.cost()
    plan = Plan(
        eval_metric_loss=eval_metric_loss,
        criterion=criterion,
        groups=groups,
        before=Counts(parameters=before.parameters, flops=before.flops),
        after=Counts(parameters=before.parameters, flops=before.flops),
    )
    after = graph.cost(plan.removed(graph))
    return plan.model_copy(update={"after": Counts(parameters=after.parameters, flops=after.flops)})
