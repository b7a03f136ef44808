"""What goes from any layer: by ratios, a table or a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Literal

from paddleprune.api.budgets import Priced, within
from paddleprune.api.layer.cuts import LayerPlan
from paddleprune.api.layer.graph import LayerGraph
from paddleprune.api.layer.inputs import read_calibration
from paddleprune.api.paths import paths_for
from paddleprune.engines import Engine, left_whole, open_engine
from paddleprune.errors import ConfigError, PlanError
from paddleprune.interfaces import Scorer
from paddleprune.pruning import Plan
from paddleprune.repair import record
from paddleprune.sensitivity import Importance, SensitivityTable, criterion_name, criterion_of, model_digest
from paddleprune.settings import Criterion, EngineName, PruneSettings, RuntimeName
from paddleprune.solver import solve
from paddleprune.validation import SETTING, validated


def plan(
    graph: LayerGraph,
    what: Mapping[str, float] | SensitivityTable | float | None = None,
    *,
    flops: float | str | None = None,
    params: float | str | None = None,
    latency: float | str | None = None,
    runtime: RuntimeName = "paddle",
    threads: int | None = None,
    onednn: bool = True,
    calibration: Any = None,
    criterion: Literal["obs"] | Criterion | Scorer | Importance | None = None,
    round_to: int = 1,
    engine: EngineName | None = None,
    eval_metric_loss: float | None = None,
    exclude: str | Sequence[str] = (),
    only: str | Sequence[str] = (),
) -> LayerPlan:
    """Decide which units go.

    Args:
        graph: the traced layer.
        what: group name -> share of its units, or branch name -> 1; one share for every group; or a table that
            `analyze_layer` measured. Nothing where a budget says it.
        flops: what may stay of the FLOPs: a share up to 1, or a number such as "150M". The units that lose least for
            what they save go, by the table, by `calibration`, or at one ratio for all groups by the criterion.
        params: what may stay of the parameters; likewise.
        latency: how long one sample may take on this CPU, measured: a share of what the layer takes now, or a time such
            as "8ms".
        runtime: what runs it for the latency: "paddle" (Paddle Inference), "onnxruntime" or "openvino".
        threads: CPU threads for the latency; all cores by default.
        onednn: whether the latency is that with oneDNN; it can be off in Paddle Inference alone.
        calibration: real inputs of the layer, [N, ...] for each argument of its forward: those units then go first
            that a repair with the same inputs can do without. It may give batches, as for `shrink`.
        criterion: what makes a unit matter: "l1", the default, "l2", "fpgm", "bn_scale" or "lamp"; a function of your
            own, as `paddleprune.interfaces.Scorer` says; or what `score_units` gave for "taylor" or "obd". Within a
            budget it takes the place of what `calibration` says ("obs"), which then has no part in the plan. A table
            brings its own, and wants the function if it was one.
        round_to: every layer that loses filters keeps a multiple of this many, by keeping more; a group where
            that can't be stays whole.
        engine: what carries the plan out: "native", the default, or "paddleslim"; a table brings its own.
        eval_metric_loss: with a table, the share of the metric that each group alone may lose; 0.05 by default.
        exclude: groups that stay whole, by name, by glob (`features.0.*`) or by the type of the layers that make them
            (`type:Linear`).
        only: likewise, the groups that may be pruned, if not all.

    Raises:
        UnknownNameError: a name isn't a group of the layer.
        PlanError: a group can't be pruned, a ratio isn't from 0 to below 1, or a budget can't be had.
        TableError: the table was measured with other weights.
        ConfigError: an argument can't be used, or doesn't go with the others.
        DependencyError: the runtime isn't installed.
    """
    graph.check_current()
    given = {"flops": flops, "params": params, "latency": latency, "runtime": runtime}
    given |= {"threads": threads, "onednn": onednn, "eval_metric_loss": eval_metric_loss, "round_to": round_to}
    asked = validated(PruneSettings, given, "plan", SETTING)
    ranking = None if isinstance(criterion, str) and criterion == "obs" else criterion
    if isinstance(what, SensitivityTable):
        chosen = _engine_of_table(graph, what, ranking, engine)
        whole = left_whole(chosen, graph.layer, exclude, only)
        if asked.limits:
            return _within(graph, chosen, asked, whole, table=what, calibration=calibration)
        return LayerPlan(graph, _bound(solve(chosen, what, asked.tolerance, round_to, whole), graph), chosen)
    if eval_metric_loss is not None:
        raise ConfigError("eval_metric_loss goes with a sensitivity table; ratios say themselves how much goes")
    chosen = open_engine(engine or "native", graph.layer, graph.channels, ranking or "l1")
    if ranking is not None:
        asked = asked.model_copy(update={"criterion": criterion_name(ranking)})
    whole = left_whole(chosen, graph.layer, exclude, only)
    if asked.limits:
        if what is not None:
            raise ConfigError(f"give ratios or a budget, not both: leave {next(iter(asked.limits))} out, or the ratios")
        return _within(graph, chosen, asked, whole, calibration=calibration)
    ratios = {name: ratio for name, ratio in _ratios(what, chosen).items() if name not in whole}
    return LayerPlan(graph, _bound(chosen.plan(ratios, round_to=round_to), graph), chosen)


def _ratios(what: Any, engine: Engine) -> Mapping[str, float]:
    """Group name -> share of its units.

    Raises:
        ConfigError: it is something else.
        PlanError: a share is no number.
    """
    if isinstance(what, Real) and not isinstance(what, bool):
        return {group.name: float(what) for group in engine.groups}
    if not isinstance(what, Mapping):
        raise ConfigError(
            f"the plan's ratios are {what!r}; give a dict of group names and ratios, one ratio for all, a table, or "
            "a budget such as flops=0.5"
        )
    for name, ratio in what.items():
        if not isinstance(ratio, Real):
            raise PlanError(f"the ratio of {name!r} must be a number between 0 and 1, got {ratio!r}")
    return what


def _within(
    graph: LayerGraph,
    engine: Engine,
    asked: PruneSettings,
    whole: frozenset[str],
    *,
    table: SensitivityTable | None = None,
    calibration: Any = None,
) -> LayerPlan:
    """The plan that meets a budget's limits."""
    layer, channels = graph.layer, graph.channels
    seen = None if calibration is None else record(layer, read_calibration(calibration, channels.inputs))
    priced = Priced.of(layer, engine, asked)
    path = paths_for(engine, layer, channels, priced.costs, asked, seen=seen, table=table, whole=whole)[0]
    return LayerPlan(graph, _bound(within(path, channels, priced, asked), graph), engine)


def _engine_of_table(
    graph: LayerGraph,
    table: SensitivityTable,
    criterion: Criterion | Scorer | Importance | None,
    engine: EngineName | None,
) -> Engine:
    """The engine that measured a table, with its criterion.

    Raises:
        ConfigError: the user wants another one.
        TableError: the table was measured with other weights.
    """
    identity = table.identity
    if engine not in (None, identity.engine):
        raise ConfigError(
            f"the table was measured with the engine {identity.engine!r}, not {engine!r}; leave engine out"
        )
    ranking = criterion_of(table, criterion)
    table.check_model(model_digest(graph.layer), "the table")
    return open_engine(identity.engine, graph.layer, graph.channels, ranking)


def _bound(plan: Plan, graph: LayerGraph) -> Plan:
    """The plan, which says for which weights it was made."""
    return plan.model_copy(update={"model": model_digest(graph.layer)})
