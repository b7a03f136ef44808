"""Table + budget -> plan."""

from __future__ import annotations

from paddleprune.errors import PlanError
from paddleprune.graph import ChannelGraph
from paddleprune.pruning.plan import Plan, make_plan
from paddleprune.sensitivity import SensitivityTable
from paddleprune.sensitivity.criteria import Rankings


def solve(graph: ChannelGraph, table: SensitivityTable, rankings: Rankings, eval_metric_loss: float) -> Plan:
    """The plan that a tolerance asks for: each group, alone, may lose that share of the metric.

    Args:
        graph: the network's channel graph.
        table: its sensitivity table.
        rankings: the order in which the table's criterion removes units.
        eval_metric_loss: the tolerance, 0 or more.

    Raises:
        PlanError: the table names groups that the network doesn't have.
    """
    prunable = {group.name for group in graph.prunable}
    strangers = [name for name in table.groups if name not in prunable]
    if strangers:
        raise PlanError(f"the table has a group {strangers[0]!r} that this network can't prune; analyze it again")
    ratios = table.ratios_for(eval_metric_loss)
    return make_plan(
        graph,
        ratios,
        rankings,
        criterion=table.identity.criterion,
        eval_metric_loss=eval_metric_loss,
        expected={name: table.loss_at(name, ratio) for name, ratio in ratios.items()},
    )
