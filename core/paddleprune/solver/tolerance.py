"""Table + tolerance of each group alone -> plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from paddleprune.amounts import check_tolerance
from paddleprune.errors import PlanError
from paddleprune.pruning.plan import Plan
from paddleprune.sensitivity import Prunable, SensitivityTable, check_removed


class Planner(Protocol):
    """What makes plans of one network: an engine."""

    @property
    def groups(self) -> Sequence[Prunable]:
        """What may be pruned."""

    def plan(self, ratios: Mapping[str, float], *, round_to: int = 1) -> Plan:
        """Turn ratios into the units that stay."""


def solve(
    planner: Planner,
    table: SensitivityTable,
    eval_metric_loss: float,
    round_to: int = 1,
    exclude: Collection[str] = (),
) -> Plan:
    """The plan that a tolerance asks for: each group, alone, may lose that share of the metric.

    Args:
        planner: the engine of the network, with the table's criterion.
        table: its sensitivity table.
        eval_metric_loss: the tolerance, from 0 to below 1.
        round_to: channels of every pruned convolution stay a multiple of this.
        exclude: groups that stay whole, whatever the table says of them.

    Raises:
        PlanError: the table names groups that the network doesn't have.
        TableError: an earlier version measured it, with fewer units gone than its ratios say today.
        ConfigError: the tolerance isn't from 0 to below 1.
    """
    eval_metric_loss = check_tolerance(eval_metric_loss, "eval_metric_loss")
    prunable = {group.name for group in planner.groups}
    strangers = [name for name in table.groups if name not in prunable and name not in exclude]
    if strangers:
        raise PlanError(f"the table has a group {strangers[0]!r} that this network can't prune; analyze it again")
    check_removed(table, [group for group in planner.groups if group.name not in exclude])
    ratios = {name: ratio for name, ratio in table.ratios_for(eval_metric_loss).items() if name not in exclude}
    expected = {name: table.loss_at(name, ratio) for name, ratio in ratios.items()}
    return planner.plan(ratios, round_to=round_to).expecting(expected, eval_metric_loss)
