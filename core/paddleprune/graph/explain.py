"""What may be cut, what goes with it, and why the rest may not."""

from __future__ import annotations

from paddleprune.graph.channels import ChannelGraph, Group
from paddleprune.specs import Contract


class GroupReport(Contract):
    """What there is to know about a group.

    Attributes:
        name: the group's name.
        units: how many units may go; 0 if it is protected.
        at_once: how many of them can go together, so that every layer keeps a channel.
        filters: how many filters these units are, over all layers that produce them.
        parameters: the parameters and buffers that get smaller.
        parameter_share: share of the network's parameters that would go with all of its units.
        flop_share: share of the network's FLOPs that would.
        protected: why it may not be pruned; None if it may.
        inexact: why it is measured shrunk, not masked; None if it is masked.
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

    @property
    def limit(self) -> str:
        """How many units can go together, where that isn't all but one."""
        return f"at most {self.at_once} at once" if self.at_once < self.units - 1 else ""


class Explanation(Contract):
    """A network's groups and totals.

    Attributes:
        groups: in the network's order.
        total_parameters: numbers that training may change.
        total_flops: FLOPs of one forward pass of one sample; one FLOP is one multiply-add.
        uncounted: kinds of operations that have no rule: they protect what they touch and count no FLOPs.
    """

    groups: tuple[GroupReport, ...]
    total_parameters: int
    total_flops: int
    uncounted: tuple[str, ...]

    def __str__(self) -> str:
        rows = [("group", "units", "filters", "parameters", "FLOPs", ""), *map(_row, self.groups)]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join([*map(str.ljust, row[:5], widths), row[5]]).rstrip() for row in rows]
        lines.append(f"{self.total_parameters:,} parameters, {self.total_flops:,} FLOPs a sample (multiply-adds)")
        if self.uncounted:
            lines.append(f"operations without a rule, not counted: {', '.join(self.uncounted)}")
        return "\n".join(lines)


def _row(group: GroupReport) -> tuple[str, ...]:
    remark = f"protected: {group.protected}" if group.protected else ""
    remark = f"measured shrunk: {group.inexact}" if group.inexact else remark
    remark = "; ".join(filter(None, (group.limit, remark)))
    shares = (f"{group.parameter_share:.1%}", f"{group.flop_share:.1%}")
    return group.name, str(group.units or "-"), str(group.filters), *shares, remark


def explain(graph: ChannelGraph) -> Explanation:
    """Describe every group of a graph, the protected ones included."""
    cost = graph.cost()
    return Explanation(
        groups=tuple(_report(graph, group, cost.parameters, cost.flops) for group in graph.groups),
        total_parameters=cost.parameters,
        total_flops=cost.flops,
        uncounted=tuple(sorted(graph.uncounted)),
    )


def _report(graph: ChannelGraph, group: Group, parameters: int, flops: int) -> GroupReport:
    rest = graph.cost(group.units)
    return GroupReport(
        name=group.name,
        units=group.size,
        at_once=0 if group.protected else len(group.removable()),
        filters=graph.filters([group]),
        parameters=tuple(dict.fromkeys(axis.parameter for axis in graph.axes_of[group.name])),
        parameter_share=1 - rest.parameters / max(parameters, 1),
        flop_share=1 - rest.flops / max(flops, 1),
        protected=group.protected,
        inexact=group.inexact,
    )
