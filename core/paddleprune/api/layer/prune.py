"""Any layer: cut it to a budget, and repair it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from paddle import nn

from paddleprune.api.budgets import Priced, decide
from paddleprune.api.cutting import Cutter, carry_out
from paddleprune.api.layer.cuts import LayerPlan, adopt
from paddleprune.api.layer.graph import LayerGraph, as_number
from paddleprune.api.layer.inputs import read_calibration
from paddleprune.api.paths import paths_for
from paddleprune.engines import open_engine
from paddleprune.errors import ConfigError
from paddleprune.graph.modes import in_mode
from paddleprune.interfaces import Scorer
from paddleprune.repair import record
from paddleprune.sensitivity import Importance, SensitivityTable, criterion_name, criterion_of, model_digest
from paddleprune.sensitivity.measuring.scores import Score, metric_loss
from paddleprune.settings import Criterion, PruneSettings
from paddleprune.validation import SETTING, validated


def prune_layer(
    graph: LayerGraph,
    evaluate: Callable[[nn.Layer], float],
    *,
    calibration: Any,
    judge: Callable[[nn.Layer], float] | None = None,
    table: SensitivityTable | None = None,
    criterion: Literal["obs"] | Criterion | Scorer | Importance = "obs",
    higher_is_better: bool = True,
    **settings: Any,
) -> LayerPlan:
    """Cut a traced layer to a budget, in place, and repair it in closed form.

    Args:
        graph: the traced layer.
        evaluate: gives the metric of the layer, which is in evaluation mode; called for every plan that is tried.
        calibration: real inputs of the layer, [N, ...] for each argument of its forward, or something that gives
            batches, as for `shrink`; 200 suffice.
        judge: gives the metric on samples that `evaluate` doesn't see, for the losses that are reported; without it
            they are those that the search saw, and a little optimistic.
        table: what `analyze_layer` measured: its losses then say how many units of each group go. Within a group those
            go first that a repair can do without.
        criterion: without a table, which units go first: "obs", those that a repair can do without; for what they
            save, "lamp", or what `score_units` gave for "taylor" or "obd"; at one ratio for all groups "l1", "l2",
            "fpgm", "bn_scale", or a function of your own. With a table, the function that ranked its units, where it
            was one of your own.
        higher_is_better: the metric's direction.
        **settings: the budget and the rest, as `prune` takes them: flops, params, max_loss, save, ridge, memory,
            round_to.

    Returns:
        The plan that was carried out, with its certificate, repair and joint loss; it can undo it all.

    Raises:
        ConfigError: an argument can't be used, or the metric is 0 or no number.
        PlanError: no cut is within the budget; the message says what can be had.
        CertificateError: the cut layer doesn't compute what the masked one does.
    """
    ranking = None if isinstance(criterion, str) and criterion == "obs" else criterion
    order = "obs" if ranking is None else criterion_name(ranking)
    chosen = validated(PruneSettings, settings, "prune", SETTING).model_copy(update={"criterion": order})
    if chosen.max_loss is None and not chosen.limits:
        raise ConfigError("say what is wanted: max_loss, such as 0.02, or flops or params, such as 0.5")
    if chosen.depth and not graph.branches:
        raise ConfigError("the graph has no branches: trace the layer with depth=True, or leave depth out")
    graph.check_current()
    layer, channels = graph.layer, graph.channels
    if table is not None:
        table.check_model(model_digest(layer), "the table")
    if table is not None:
        engine = open_engine(table.identity.engine, layer, channels, criterion_of(table, ranking))
    else:
        engine = open_engine("native", layer, channels, ranking or "l1")
    with in_mode(layer, train=False):
        seen = record(layer, read_calibration(calibration, channels.inputs), chosen.memory)
        cutter = Cutter(layer, channels, engine, seen, chosen.ridge, graph.probe)
        measure = _measured(layer, evaluate, higher_is_better)
        judged = measure if judge is None else _measured(layer, judge, higher_is_better)
        priced = Priced.of(layer, engine, chosen)
        paths = paths_for(engine, layer, channels, priced.costs, chosen, seen=seen, table=table)
        plan, tried = decide(cutter, paths, channels, priced, chosen, measure)
        done = carry_out(cutter, plan, judged, asked=chosen.max_loss, tried=tried)
    return adopt(graph, done, engine, cutter.restore)


def _measured(layer: nn.Layer, evaluate: Callable[[nn.Layer], float], higher_is_better: bool) -> Callable[[], Score]:
    def value() -> float:
        layer.eval()
        return as_number(evaluate(layer))

    dense = value()
    if dense == 0 or dense != dense:
        raise ConfigError(f"evaluate gives {dense:g} for the dense layer, so that no share of it can be lost")

    def measure() -> Score:
        found = value()
        return Score(found, metric_loss(dense, found, higher_is_better))

    return measure
