"""A budget -> the plan that meets it, or why none does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from paddle import nn

from paddleprune.api.cutting import Cutter, largest_cut, measured
from paddleprune.api.latencies import Stopwatch, within_latency
from paddleprune.console import say
from paddleprune.engines import Engine, NativeEngine, RankedGroup
from paddleprune.errors import ConfigError, PlanError
from paddleprune.graph import ChannelGraph
from paddleprune.pruning import Plan
from paddleprune.repair import Record, branch_losses
from paddleprune.sensitivity import SensitivityTable
from paddleprune.sensitivity.scores import Score
from paddleprune.settings import GLOBAL_CRITERIA, Budget, CostName, PruneSettings
from paddleprune.solver import (
    Ceiling,
    Costs,
    Order,
    Path,
    TolerancePath,
    UniformPath,
    UnitPath,
    amount,
    check_reach,
    order_by_importance,
    order_by_table,
    order_units,
    uniform_order,
)

_MIDDLE = 0.5
"""The place where two paths are compared that have no limit in common."""


def ceiling_of(budget: Budget, costs: Costs) -> Ceiling:
    """A budget's limits as absolute numbers: a share is one of the dense network's, a time is in milliseconds."""
    limits: dict[CostName, float] = {}
    for name, limit in budget.limits.items():
        if isinstance(limit, str):
            limits[name] = float(limit.removesuffix("ms"))
        else:
            limits[name] = limit * costs.dense[name] if limit <= 1 else limit
    return Ceiling(limits, budget.save)


@dataclass(frozen=True)
class Priced:
    """What a network costs, and what measures its latency where that counts."""

    costs: Costs
    watch: Stopwatch | None

    @classmethod
    def of(cls, layer: nn.Layer, engine: Engine, asked: PruneSettings) -> Priced:
        """The costs of a network that a budget speaks of; its layers are timed if latency is among them.

        Raises:
            ConfigError: latency is, and the engine's plans can't be foretold, or the network can't be exported.
        """
        graph = engine.graph
        if not asked.timed:
            return cls(Costs(graph), None)
        if not isinstance(engine, NativeEngine):
            raise ConfigError(
                f"latency is foretold for plans of the native engine, not of {engine.name}; ask for flops"
            )
        watch = Stopwatch(layer, graph, asked)
        return cls(Costs(graph, watch.foretell()), watch)


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
    ceiling = ceiling_of(asked, costs)
    branches = _losses(engine, layer, graph, asked, seen, whole)
    if not isinstance(engine, NativeEngine):
        if table is not None:
            return [TolerancePath(engine, table, costs, asked.round_to, whole)]
        return [UniformPath(engine, costs, asked.round_to, whole)]
    counted = _counted(ceiling, table is not None)
    by_units: list[Order] = []
    by_table: list[Order] = []
    with_branches: list[Order] = []
    if seen is not None and (table is not None or asked.criterion == "obs"):
        by_units = [order_units(layer, graph, seen, costs, counts, whole) for counts in counted]
        if branches:
            with_branches = [order_units(layer, graph, seen, costs, counts, whole, branches) for counts in counted]
    if table is not None:
        known: Sequence[Order | None] = by_units or [None] * len(counted)
        for counts, units in zip(counted, known, strict=True):
            groups = engine.groups if units is None else reranked(engine.groups, units)
            criterion = None if units is None else units.criterion
            by_table.append(order_by_table(groups, table, costs, counts, whole, criterion))
    by_criterion: list[Order] = []
    if not by_units and not by_table:
        by_criterion = [uniform_order(engine.groups, engine.criterion, whole)]
        if engine.criterion in GLOBAL_CRITERIA:
            by_criterion = [order_by_importance(graph, engine.importance, costs, counts, whole) for counts in counted]
    kinds = (with_branches, by_table, by_units, by_criterion)
    best = [_least_loss(orders, costs, ceiling) for orders in kinds if orders]
    if with_branches and not _takes_a_branch(best[0], graph, costs, ceiling):
        say("no branch goes: within these limits channels lose less for what they save")
        del best[0]
    best = [order for order in best if order.units] or best[:1]
    if best[-1].unscored:
        say(f"stay whole, since no layer that can be refitted reads them: {', '.join(best[-1].unscored)}")
    return [UnitPath(graph, order, costs, ceiling, asked.round_to) for order in best]


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


def decide(
    cutter: Cutter,
    paths: Sequence[Path],
    graph: ChannelGraph,
    priced: Priced,
    budget: PruneSettings,
    measure: Callable[[], Score] | None,
) -> tuple[Plan, int]:
    """The plan that meets every limit with the least expected loss; given a loss alone, the one that saves most.

    Args:
        cutter: of the network.
        paths: the plans to choose from.
        graph: the network's channel graph.
        priced: what the network costs.
        budget: the limits.
        measure: gives the loss of the network as it stands; needed where the budget has a `max_loss`, or where there
            are several paths.

    Returns:
        The plan, and how many were measured.

    Raises:
        PlanError: no plan is within the budget; the message says what can be had.
    """
    path, compared = paths[0], 0
    if measure is not None and len(paths) > 1:
        path, compared = better(cutter, paths, priced.costs, ceiling_of(budget, priced.costs), measure)
    if not budget.limits:
        assert measure is not None
        assert budget.max_loss is not None
        plan, tried = largest_cut(cutter, path, measure, budget.max_loss)
        if priced.watch is not None:
            found = priced.watch.of_plan(plan, priced.costs.of(plan)["latency"], None)
            plan = plan.model_copy(update={"latency": found})
        return plan.model_copy(update={"budget": budget.given}), tried + compared
    plan = within(path, graph, priced, budget)
    if measure is None or budget.max_loss is None:
        return plan, compared
    score = measured(cutter, plan, measure)
    if score.loss + (score.error or 0.0) <= budget.max_loss:
        return plan, compared + 1
    ceiling = ceiling_of(budget, priced.costs)
    raise PlanError(_too_much(cutter, path, priced.costs, ceiling, budget.max_loss, score, measure))


def better(
    cutter: Cutter, paths: Sequence[Path], costs: Costs, ceiling: Ceiling, measure: Callable[[], Score]
) -> tuple[Path, int]:
    """The path whose plan loses least, and how many were measured.

    A path's plan is the one within a ceiling or, without a limit, the one in the middle.
    """
    plans = [path.at_most(ceiling) if ceiling.limits else path.plan(_MIDDLE) for path in paths]
    within = [pair for pair in zip(paths, plans, strict=True) if ceiling.met(costs.of(pair[1]))]
    if len(within) < 2:
        return (within[0][0] if within else paths[0]), 0
    return min(within, key=lambda pair: measured(cutter, pair[1], measure).loss)[0], len(within)


def within(path: Path, graph: ChannelGraph, priced: Priced, budget: PruneSettings) -> Plan:
    """The first plan of a path within a budget's limits of costs.

    Raises:
        PlanError: none is; the message says what can be had.
    """
    costs, ceiling = priced.costs, ceiling_of(budget, priced.costs)
    if priced.watch is None:
        last = path.plan(1)
        check_reach(graph, costs, ceiling, last, costs.of(last))
        plan = path.at_most(ceiling)
    else:
        plan = _in_time(path, graph, costs, ceiling, budget, priced.watch)
    return plan.model_copy(update={"budget": budget.given})


def _in_time(
    path: Path, graph: ChannelGraph, costs: Costs, ceiling: Ceiling, budget: PruneSettings, watch: Stopwatch
) -> Plan:
    """The plan in whole blocks of the CPU's that loses least, of those whose measured latency is within a ceiling.

    Channels within a block cost nothing. How many such a block holds depends on the layer: each size is tried. Where
    none allows what is asked for, the plan is in no blocks.
    """
    share = None if isinstance(budget.latency, str) else budget.latency
    found = []
    for block in watch.blocks:
        rounded = path.rounded(block)
        if block % budget.round_to or not ceiling.met(costs.of(rounded.plan(1))):
            continue
        with suppress(PlanError):
            found.append(within_latency(rounded, costs, ceiling, watch, graph, share))
    if found:
        return min(found, key=path.lost)
    last = path.plan(1)
    least = costs.of(last)
    if not ceiling.met(least):  # what is foretold may be wrong: nothing is refused without a measurement
        least["latency"] = watch.of_plan(last, least["latency"], None).pruned
    check_reach(graph, costs, ceiling, last, least)
    return within_latency(path, costs, ceiling, watch, graph, share)


def _too_much(
    cutter: Cutter,
    path: Path,
    costs: Costs,
    ceiling: Ceiling,
    max_loss: float,
    score: Score,
    measure: Callable[[], Score],
) -> str:
    """Why limits of cost and of loss can't be had together, and what can."""
    asked = _said(ceiling.limits, costs)
    error = "" if score.error is None else f" ± {score.error:.4f}"
    lost = f"{asked} cost{'s' if len(ceiling.limits) == 1 else ''} {score.loss:.4f}{error} after the repair, "
    try:
        plan, _ = largest_cut(cutter, path, measure, max_loss)
    except PlanError:
        return f"{lost}and no cut is within max_loss {max_loss:g}; allow a larger loss"
    cost = costs.of(plan)
    there = _said({name: cost[name] for name in ceiling.limits}, costs)
    return (
        f"{lost}more than max_loss {max_loss:g}; within that, {there} can be had: ask for so much, or allow more loss"
    )


def _said(limits: Mapping[CostName, float], costs: Costs) -> str:
    return " and ".join(f"{name} {amount(name, limit, costs)}" for name, limit in limits.items())
