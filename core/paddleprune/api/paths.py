"""A network, what is known of it, and what counts -> the plans in a row among which a budget picks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paddle import nn

from paddleprune.api.budgets import ceiling_of
from paddleprune.console import say
from paddleprune.engines import Engine, NativeEngine, RankedGroup
from paddleprune.errors import ConfigError
from paddleprune.graph import ChannelGraph
from paddleprune.repair import Record, branch_losses
from paddleprune.sensitivity import SensitivityTable
from paddleprune.settings import GLOBAL_CRITERIA, PruneSettings
from paddleprune.solver import (
    Ceiling,
    Costs,
    Order,
    Path,
    TolerancePath,
    UniformPath,
    UnitPath,
    order_by_importance,
    order_by_table,
    order_units,
    uniform_order,
)


def paths_for(
    engine: Engine,
    layer: nn.Layer,
    graph: ChannelGraph,
    costs: Costs,
    asked: PruneSettings,
    *,
    seen: Record | None = None,
    table: SensitivityTable | None = None,
    whole: frozenset[str] = frozenset(),
) -> list[Path]:
    """The plans in a row among which a budget picks one; where there are two such rows, `decide` measures which.

    Units go in the order of what a repair can do without, each for what it saves. With a table its losses may say how
    many of each group, instead: the metric knows better what matters, the samples how much a repair gives back, and
    which of the two counts for more depends on the network. By a criterion alone it is one ratio for all groups, unless
    its scores can be compared across them: then those go that matter least for what they save. Where branches may go,
    too, they compete with the units; the plans without them are still there to be measured.

    Args:
        engine: the engine of the network, with the table's criterion if there is a table, or that of the order.
        layer: the dense network.
        graph: its channel graph.
        costs: of the network.
        asked: what counts, criterion and rounding.
        seen: what the dense network gave for some samples; None where nothing is repaired.
        table: its sensitivity table.
        whole: groups that stay whole.

    Returns:
        One path, one more with a table beside samples, and one more with branches; the first is to be taken where none
        can be measured.
    """
    branches = _losses(engine, layer, graph, asked, seen, whole)
    if not isinstance(engine, NativeEngine):
        if table is not None:
            return [TolerancePath(engine, table, costs, asked.round_to, whole)]
        return [UniformPath(engine, costs, asked.round_to, whole)]
    ceiling = ceiling_of(asked, costs)
    orders = _Orders(engine, layer, graph, costs, _counted(ceiling, table is not None), whole)
    scored = seen if table is not None or asked.criterion == "obs" else None
    by_units = [] if scored is None else orders.of_units(scored)
    with_branches = [] if scored is None or not branches else orders.of_units(scored, branches)
    by_table = [] if table is None else orders.of_table(table, by_units)
    by_criterion = [] if by_units or by_table else orders.of_criterion()
    best = [_least_loss(some, costs, ceiling) for some in (with_branches, by_table, by_units, by_criterion) if some]
    if with_branches and not _takes_a_branch(best[0], graph, costs, ceiling):
        say("no branch goes: within these limits channels lose less for what they save")
        del best[0]
    best = [order for order in best if order.units] or best[:1]
    if best[-1].unscored:
        say(f"stay whole, since no layer that can be refitted reads them: {', '.join(best[-1].unscored)}")
    return [UnitPath(graph, order, costs, ceiling, asked.round_to) for order in best]


@dataclass(frozen=True)
class _Orders:
    """The orders of one network's units: one for each sum of costs that an order may go by."""

    engine: NativeEngine
    layer: nn.Layer
    graph: ChannelGraph
    costs: Costs
    counted: Sequence[Ceiling]
    whole: frozenset[str]

    def of_units(self, seen: Record, branches: Mapping[str, float] | None = None) -> list[Order]:
        """By what a repair can do without."""
        known = (self.layer, self.graph, seen, self.costs)
        return [order_units(*known, counts, self.whole, branches) for counts in self.counted]

    def of_table(self, table: SensitivityTable, by_units: Sequence[Order]) -> list[Order]:
        """By a table's losses; within a group in the order of the units, if there is one."""
        found = []
        known: Sequence[Order | None] = by_units or [None] * len(self.counted)
        for counts, units in zip(self.counted, known, strict=True):
            groups = self.engine.groups if units is None else reranked(self.engine.groups, units)
            criterion = None if units is None else units.criterion
            found.append(order_by_table(groups, table, self.costs, counts, self.whole, criterion))
        return found

    def of_criterion(self) -> list[Order]:
        """By the engine's criterion alone."""
        if self.engine.criterion not in GLOBAL_CRITERIA:
            return [uniform_order(self.engine.groups, self.engine.criterion, self.whole)]
        known = (self.graph, self.engine.importance, self.costs)
        return [order_by_importance(*known, counts, self.whole) for counts in self.counted]


def _takes_a_branch(order: Order, graph: ChannelGraph, costs: Costs, ceiling: Ceiling) -> bool:
    """Does a branch go before all limits are met? Without a limit it may."""
    count = order.until(costs, ceiling) if ceiling.limits else len(order.units)
    return bool(graph.gone(order.units[:count]))


def _losses(
    engine: Engine,
    layer: nn.Layer,
    graph: ChannelGraph,
    asked: PruneSettings,
    seen: Record | None,
    whole: frozenset[str],
) -> dict[str, float]:
    """What the network loses with each branch that may go; empty where branches aren't asked for.

    Raises:
        ConfigError: they are, and nothing can choose among them.
    """
    if asked.depth and not graph.branches:
        say("depth finds nothing: the network has no residual branches")
    if not graph.branches:
        return {}
    if not isinstance(engine, NativeEngine):
        raise ConfigError(f"branches are the native engine's, not {engine.name}'s: leave depth out, or the engine")
    if seen is None:
        raise ConfigError("branches are chosen by samples: give calibration, or leave depth out")
    return branch_losses(layer, graph, seen, asked.ridge, whole)


def reranked(groups: Sequence[RankedGroup], order: Order) -> list[RankedGroup]:
    """Groups whose units go as an order has them; those of which it has nothing stay as they are.

    Args:
        groups: ranked by a criterion.
        order: of units.
    """
    of = {unit: group.name for group in groups for unit in group.group.units}
    found: dict[str, list[int]] = {}
    for unit in (unit for unit in order.units if unit in of):
        found.setdefault(of[unit], []).append(unit)
    return [RankedGroup(group.group, tuple(found.get(group.name, group.order))) for group in groups]


def _counted(ceiling: Ceiling, tabled: bool) -> list[Ceiling]:
    """What an order may go by: all limits together or, of several, each alone, since one of them may decide.

    A limit of 0 is never met: an order that is made for it is the same for every budget. With a table all are such,
    so that a larger budget never gets a plan that is expected to lose more.
    """
    alone = [Ceiling({name: 0.0}, name) for name in ceiling.limits]
    if len(alone) == 1:
        return alone
    return [Ceiling(dict.fromkeys(ceiling.limits, 0.0), ceiling.save) if tabled else ceiling, *alone]


def _least_loss(orders: Sequence[Order], costs: Costs, ceiling: Ceiling) -> Order:
    """The order that loses least within all limits."""
    return min(orders, key=lambda one: sum(one.losses[: one.until(costs, ceiling)]))
