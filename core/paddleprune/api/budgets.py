"""A budget -> the plan that meets it, or why none does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from paddle import nn

from paddleprune.api.cutting import Cutter, largest_cut, measured
from paddleprune.api.stopwatch import Stopwatch, within_latency
from paddleprune.engines import Engine, NativeEngine
from paddleprune.errors import ConfigError, PlanError
from paddleprune.graph import ChannelGraph
from paddleprune.pruning import Plan
from paddleprune.sensitivity.measuring.scores import Score
from paddleprune.settings import Budget, CostName, PruneSettings
from paddleprune.solver import Ceiling, Costs, Path, amount, check_reach

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
    met = [pair for pair in zip(paths, plans, strict=True) if ceiling.met(costs.of(pair[1]))]
    if len(met) < 2:
        return (met[0][0] if met else paths[0]), 0
    return met[least([measured(cutter, plan, measure) for _, plan in met])][0], len(met)


def least(scores: Sequence[Score]) -> int:
    """The number of the least loss, if it is below the last one by more than the errors of both; else of the last one.

    The last plan is the one of the samples alone. Where samples can't tell two plans apart it is usually ahead.
    """
    found = min(scores, key=lambda score: score.loss)
    noise = math.hypot(found.error or 0.0, scores[-1].error or 0.0)
    return scores.index(found) if found.loss + noise < scores[-1].loss else len(scores) - 1


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
