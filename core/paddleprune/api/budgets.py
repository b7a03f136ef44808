"""A budget -> the plan that meets it, or why none does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from paddle import nn

from paddleprune.api.cutting import Cutter, largest_cut, measured
from paddleprune.console import say
from paddleprune.engines import Engine, NativeEngine
from paddleprune.errors import PlanError
from paddleprune.graph import ChannelGraph
from paddleprune.pruning import Plan
from paddleprune.repair import Record
from paddleprune.sensitivity import SensitivityTable
from paddleprune.sensitivity.scores import Score
from paddleprune.settings import Budget, CostName, PruneSettings
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
    order_by_table,
    order_units,
)


def ceiling_of(budget: Budget, costs: Costs) -> Ceiling:
    """A budget's limits as absolute numbers: a share is one of the dense network's."""
    limits = {name: limit * costs.dense[name] if limit <= 1 else limit for name, limit in budget.limits.items()}
    return Ceiling(limits, budget.save)


def path_for(
    engine: Engine,
    layer: nn.Layer,
    graph: ChannelGraph,
    costs: Costs,
    ceiling: Ceiling,
    asked: PruneSettings,
    *,
    seen: Record | None = None,
    table: SensitivityTable | None = None,
    whole: frozenset[str] = frozenset(),
) -> Path:
    """The plans in a row among which a budget picks one.

    Units go in the order of a table's losses, or of what a repair can do without, each for what it saves; or, by a
    criterion alone, at one ratio for all groups.

    Args:
        engine: the engine of the network, with the table's criterion if there is a table.
        layer: the dense network.
        graph: its channel graph.
        costs: of the network.
        ceiling: what counts.
        asked: criterion and rounding.
        seen: what the dense network gave for some samples; None where nothing is repaired.
        table: its sensitivity table.
        whole: groups that stay whole.
    """
    if table is not None and not isinstance(engine, NativeEngine):
        return TolerancePath(engine, table, costs, asked.round_to, whole)
    if table is None and (asked.criterion != "obs" or seen is None):
        return UniformPath(engine, costs, asked.round_to, whole)

    def order(counts: Ceiling) -> Order:
        if table is not None and isinstance(engine, NativeEngine):
            return order_by_table(engine.groups, table, costs, counts, whole)
        assert seen is not None
        return order_units(layer, graph, seen, costs, counts, whole)

    best = _least_loss(order, costs, ceiling)
    if best.unscored:
        say(f"stay whole, since no layer that can be refitted reads them: {', '.join(best.unscored)}")
    return UnitPath(graph, best, costs, ceiling, asked.round_to)


def _least_loss(order: Callable[[Ceiling], Order], costs: Costs, ceiling: Ceiling) -> Order:
    """Of several limits one may decide alone: the order is taken that loses least within all of them."""
    counted = [ceiling]
    if len(ceiling.limits) > 1:
        counted += [Ceiling({name: limit}, name) for name, limit in ceiling.limits.items()]
    orders = [order(one) for one in counted]
    return min(orders, key=lambda one: sum(one.losses[: one.until(costs, ceiling)]))


def decide(
    cutter: Cutter,
    path: Path,
    graph: ChannelGraph,
    costs: Costs,
    budget: Budget,
    measure: Callable[[], Score] | None,
) -> tuple[Plan, int]:
    """The plan that meets every limit with the least expected loss; given a loss alone, the one that saves most.

    Args:
        cutter: of the network.
        path: the plans to choose from.
        graph: the network's channel graph.
        costs: of the network.
        budget: the limits.
        measure: gives the loss of the network as it stands; needed where the budget has a `max_loss`.

    Returns:
        The plan, and how many were measured.

    Raises:
        PlanError: no plan is within the budget; the message says what can be had.
    """
    if not budget.limits:
        assert measure is not None
        assert budget.max_loss is not None
        plan, tried = largest_cut(cutter, path, measure, budget.max_loss)
        return plan.model_copy(update={"budget": budget.given}), tried
    plan = within(path, graph, costs, budget)
    if measure is None or budget.max_loss is None:
        return plan, 0
    score = measured(cutter, plan, measure)
    if score.loss + (score.error or 0.0) <= budget.max_loss:
        return plan, 1
    raise PlanError(_too_much(cutter, path, costs, ceiling_of(budget, costs), budget.max_loss, score, measure))


def within(path: Path, graph: ChannelGraph, costs: Costs, budget: Budget) -> Plan:
    """The first plan of a path within a budget's limits of costs.

    Raises:
        PlanError: none is; the message says what can be had.
    """
    ceiling = ceiling_of(budget, costs)
    check_reach(graph, costs, ceiling, costs.of(path.plan(1)))
    return path.at_most(ceiling).model_copy(update={"budget": budget.given})


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
