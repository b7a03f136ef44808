"""What may be cut, what goes with it, and why the rest may not."""

from __future__ import annotations

from dataclasses import replace

from paddleprune.graph.branches import Branch
from paddleprune.graph.channels import ChannelGraph, Cost, Group
from paddleprune.specs import Contract


class GroupReport(Contract):
    """What there is to know about a group.

    Attributes:
        name: the group's name.
        units: how many units may go; 0 if it is protected.
        at_once: how many of them can go together, so that every layer keeps a channel.
        filters: how many filters these units are, over all layers that produce them.
        stay: how many other filters there are in those layers; all of them if it is protected.
        parameters: the parameters and buffers that get smaller.
        parameter_share: share of the network's parameters that would go with all of its units.
        flop_share: share of the network's FLOPs that would.
        protected: why it may not be pruned; None if it may.
        inexact: why it is measured shrunk, not masked; None if it is masked.
        why_stay: why some of its filters stay, though others may go.
    """

    name: str
    units: int
    at_once: int
    filters: int
    parameters: tuple[str, ...]
    parameter_share: float
    flop_share: float
    protected: str | None
    inexact: str | None = None
    stay: int = 0
    why_stay: str | None = None

    @property
    def remark(self) -> str:
        """Every reason that there is, on one line; empty if all of the group may go, masked."""
        said = [
            f"at most {self.at_once} at once" if self.at_once < self.units - 1 else "",
            f"protected: {self.protected}" if self.protected else "",
            f"{self.stay} filters stay: {self.why_stay}" if self.why_stay and not self.protected else "",
            f"measured shrunk: {self.inexact}" if self.inexact else "",
        ]
        return "; ".join(filter(None, said))

    @property
    def counts(self) -> str:
        """How many filters may go, of how many: `12 of 16`, or one number where nothing is left out."""
        both = self.filters + self.stay
        return f"{self.filters} of {both}" if self.filters and self.stay else str(both)


class BranchReport(Contract):
    """What there is to know about a residual branch.

    Attributes:
        name: the branch's name.
        layers: the layers that go with it.
        parameter_share: share of the network's parameters that would go.
        flop_share: share of the network's FLOPs that would.
        protected: why it may not go; None if it may.
    """

    name: str
    layers: tuple[str, ...]
    parameter_share: float
    flop_share: float
    protected: str | None

    @property
    def remark(self) -> str:
        """What it takes with it, or why it stays."""
        return f"protected: {self.protected}" if self.protected else f"goes as a whole: {', '.join(self.layers)}"


class Explanation(Contract):
    """A network's groups and totals.

    Attributes:
        groups: in the network's order.
        branches: likewise, where they were asked for.
        total_parameters: numbers that training may change.
        total_flops: FLOPs of one forward pass of one sample; one FLOP is one multiply-add.
        uncounted: kinds of operations that have no rule: they protect what they touch and count no FLOPs.
        untraced: why the training forward couldn't be followed, so that heads that only training uses aren't cut.
    """

    groups: tuple[GroupReport, ...]
    total_parameters: int
    total_flops: int
    uncounted: tuple[str, ...]
    untraced: str | None = None
    branches: tuple[BranchReport, ...] = ()

    @property
    def totals(self) -> tuple[str, ...]:
        """What there is to say below the table, line by line."""
        free, all_ = (sum(count) for count in zip(*((g.filters, g.filters + g.stay) for g in self.groups), strict=True))
        lines = [f"{self.total_parameters:,} parameters, {self.total_flops:,} FLOPs a sample (multiply-adds)"]
        lines.append(f"{free:,} of {all_:,} filters can go")
        if self.uncounted:
            lines.append(f"operations without a rule, not counted: {', '.join(self.uncounted)}")
        if self.untraced:
            lines.append(
                f"the training forward can't be followed ({self.untraced}): what only training uses isn't cut, and "
                "training may fail after a cut; trace with all inputs that it takes"
            )
        return tuple(lines)

    def __str__(self) -> str:
        rows = [("group", "units", "filters", "parameters", "FLOPs", ""), *map(_row, self.groups)]
        rows += map(_branch_row, self.branches)
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join([*map(str.ljust, row[:5], widths), row[5]]).rstrip() for row in rows]
        return "\n".join([*lines, *self.totals])


def _row(group: GroupReport) -> tuple[str, ...]:
    shares = (f"{group.parameter_share:.1%}", f"{group.flop_share:.1%}")
    return group.name, str(group.units or "-"), group.counts, *shares, group.remark


def _branch_row(branch: BranchReport) -> tuple[str, ...]:
    shares = (f"{branch.parameter_share:.1%}", f"{branch.flop_share:.1%}")
    return branch.name, "-" if branch.protected else "1", "", *shares, branch.remark


def explain(graph: ChannelGraph) -> Explanation:
    """Describe every group and branch of a graph, the protected ones included."""
    cost = graph.cost()
    return Explanation(
        groups=tuple(_report(graph, group, cost.parameters, cost.flops) for group in graph.groups),
        total_parameters=cost.parameters,
        total_flops=cost.flops,
        uncounted=tuple(sorted(graph.uncounted)),
        untraced=graph.untraced,
        branches=tuple(_branch_report(graph, branch, cost) for branch in graph.branches),
    )


def _branch_report(graph: ChannelGraph, branch: Branch, cost: Cost) -> BranchReport:
    rest = graph.cost([branch.unit])
    return BranchReport(
        name=branch.name,
        layers=tuple(branch.layers),
        parameter_share=1 - rest.parameters / max(cost.parameters, 1),
        flop_share=1 - rest.flops / max(cost.flops, 1),
        protected=branch.protected,
    )


def _report(graph: ChannelGraph, group: Group, parameters: int, flops: int) -> GroupReport:
    rest, filters = graph.cost(group.units), graph.filters([group])
    everything = graph.filters([replace(group, units=(*group.units, *group.stay))])
    return GroupReport(
        name=group.name,
        units=group.size,
        at_once=0 if group.protected else len(group.removable()),
        filters=0 if group.protected else filters,
        stay=everything if group.protected else everything - filters,
        why_stay=group.why_stay,
        parameters=tuple(dict.fromkeys(axis.parameter for axis in graph.axes_of[group.name])),
        parameter_share=1 - rest.parameters / max(parameters, 1),
        flop_share=1 - rest.flops / max(flops, 1),
        protected=group.protected,
        inexact=group.inexact,
    )
