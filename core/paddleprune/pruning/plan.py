"""The plan: which units of which group stay. A file that a person can review."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import Field

from paddleprune.errors import PlanError
from paddleprune.files import read_json, write_json
from paddleprune.graph import ChannelGraph, Group
from paddleprune.settings import EngineName
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
        inexact: groups that can't be masked, so that both sides of the comparison lack their units already.
    """

    max_difference: float
    scale: float
    tolerance: float
    batch: int
    inexact: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Is the difference within the tolerance?"""
        return self.max_difference <= self.tolerance * max(self.scale, 1e-12)

    def describe(self) -> str:
        """One line: masked and shrunk give the same outputs, to which precision."""
        besides = f"; {len(self.inexact)} groups can't be masked and were measured shrunk" if self.inexact else ""
        return (
            f"masked and shrunk outputs differ by at most {self.max_difference:.1e} "
            f"(they reach {self.scale:.3g}; {self.batch} images{besides})"
        )


class LayerRepair(Contract):
    """How well a refit of one layer did.

    Attributes:
        before: the square of what the cut layer's output lacked of the dense one's, as a share of its variance; on
            samples that the refit wasn't made from, where there are such.
        after: the same of the refitted layer.
        refitted: whether the refit was kept: it wasn't where it made things worse.
    """

    before: float
    after: float
    refitted: bool


class Repair(Contract):
    """What was done to what a cut left, so that the network works at once.

    Attributes:
        samples: how many samples it was made from; their labels had no part in it.
        ridge: how strongly weights were pulled towards those of the cut network.
        layers: the layers that were refitted.
        left: layers and parameters that lost channels and were left as cut, with the reason.
    """

    samples: int
    ridge: float
    layers: dict[str, LayerRepair]
    left: dict[str, str] = Field(default_factory=dict)

    def describe(self) -> str:
        """One line: how much was refitted, and how well."""
        done = [layer for layer in self.layers.values() if layer.refitted]
        before, after = (
            float(np.median([getattr(layer, word) for layer in done] or [0.0])) for word in ("before", "after")
        )
        rest = len(self.layers) - len(done) + len(self.left)
        return (
            f"{len(done)} layers refitted from {self.samples} samples; what the median one's output lacks of the dense "
            f"one's went from {before:.1%} to {after:.1%} of its variance; {rest} left as cut"
        )


class JointLoss(Contract):
    """What the whole plan costs: metric losses, measured on the network itself.

    Attributes:
        asked: the most that the plan might cost; None where a tolerance of each group alone made it.
        expected: the sum of the losses of single groups that the table expects; None without a table.
        cut: after the cut.
        repaired: after the cut and the repair.
        error: the standard error of `repaired`, from the differences to the dense network sample by sample.
        samples: evaluation samples that these losses are from, which no search has seen; None where they are the
            user's own, and the search has.
        tried: how many plans a search measured, on the other samples.
    """

    asked: float | None = None
    expected: float | None = None
    cut: float
    repaired: float
    error: float | None = None
    samples: int | None
    tried: int = 0

    def describe(self) -> str:
        """One line: asked, expected, cut, repaired."""
        asked = "" if self.asked is None else f"asked: at most {self.asked:g}; "
        expected = "" if self.expected is None else f"the table's losses add up to {self.expected:.4f}; "
        error = "" if self.error is None else f" ± {self.error:.4f}"
        unseen = f" that none of the {self.tried} plans tried had seen" if self.tried else ""
        on = "" if self.samples is None else f" ({self.samples} samples{unseen})"
        losses = f"cut {self.cut:.4f}, repaired {self.repaired:.4f}{error}"
        return f"{asked}{expected}metric loss of the whole plan: {losses}{on}"


class Plan(Contract):
    """Group -> the units that stay, with what was asked for and what it gives.

    Attributes:
        eval_metric_loss: the tolerance that the plan was made for; None for ratios by hand.
        criterion: what ranked the units of a group.
        engine: what numbers the units of a group, and removes them.
        groups: only groups that lose units.
        before: the dense model.
        after: the shrunk model.
        attributes: layer -> attribute -> value, where shrinking changed what the shapes don't tell: `_groups` of
            depthwise convolutions, `num_heads`.
        certificate: set when the plan has been carried out.
        repair: set when what was left has been repaired.
        joint: set when the whole plan's loss has been measured.
    """

    schema_version: int = 1
    eval_metric_loss: float | None
    criterion: str
    engine: EngineName = "native"
    groups: dict[str, GroupPlan]
    before: Counts
    after: Counts
    attributes: dict[str, dict[str, int]] = Field(default_factory=dict)
    certificate: Certificate | None = None
    repair: Repair | None = None
    joint: JointLoss | None = None

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
    round_to: int = 1,
) -> Plan:
    """Turn ratios into units.

    Args:
        graph: the network's channel graph.
        ratios: group name -> share of its units to remove.
        rankings: group name -> indices of its units, least important first.
        criterion: what made the rankings.
        eval_metric_loss: the tolerance that the ratios come from.
        expected: group name -> the metric loss that the table expects.
        round_to: every layer that loses filters keeps a multiple of this many, by keeping more if need be; a
            group where that can't be stays whole.

    Raises:
        UnknownNameError: a name isn't a group of the graph.
        PlanError: a group is protected, a ratio isn't between 0 and 1, or round_to isn't positive.
    """
    if round_to < 1:
        raise PlanError(f"round_to must be 1 or more, got {round_to}")
    groups: dict[str, GroupPlan] = {}
    for name, ratio in ratios.items():
        group = graph[name]
        if group.protected:
            raise PlanError(f"{name!r} may not be pruned: {group.protected}")
        if not 0 <= ratio <= 1:
            raise PlanError(f"the ratio of {name!r} must be between 0 and 1, got {ratio}")
        gone = set(rankings[name][: _rounded(graph, group, rankings[name], group.count(ratio), round_to)])
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


def _rounded(graph: ChannelGraph, group: Group, ranking: list[int], count: int, round_to: int) -> int:
    """The most units, at most `count`, whose removal leaves every producer a multiple of `round_to` filters."""
    owned = [axis.units for axis in graph.axes_of[group.name] if axis.role == "own"]
    filters = np.zeros((len(owned), count + 1), np.int64)
    for row, units in zip(filters, owned, strict=True):
        row[1:] = [(units == group.units[i]).sum() for i in ranking[:count]]
        row[:] = len(units) - np.cumsum(row)
    return int(np.flatnonzero((filters % round_to == 0).all(axis=0)).max(initial=0)) if round_to > 1 else count
