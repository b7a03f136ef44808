"""A trained model, a budget and samples -> the model, cut and repaired in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paddleprune.api.calibration import calibration_inputs
from paddleprune.api.cutting import Cutter, carry_out, largest_cut
from paddleprune.api.loading import Evaluation, graph_of_loaded
from paddleprune.api.meter import Meter, halves
from paddleprune.console import say
from paddleprune.engines import Engine, open_engine
from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Dataset
from paddleprune.pruning import Plan, solve
from paddleprune.registry import Registry
from paddleprune.repair import Path, Record, TablePath, UniformPath, UnitPath, order_units, record
from paddleprune.sensitivity import SensitivityTable, criterion_of
from paddleprune.settings import PruneSettings
from paddleprune.training import LoadedModel

PROBE = 8
"""Samples in the probe batch of a certificate, at most."""
TOLERANCE = 0.05
"""What each group alone may lose, where a table is given and nothing is said."""


def cut_and_repair(
    registry: Registry,
    loaded: LoadedModel,
    evaluation: Evaluation,
    calibration: Dataset,
    table: SensitivityTable | None,
    settings: PruneSettings,
) -> tuple[Plan, float]:
    """Cut a checkpoint's network to a budget, in place, and repair it.

    Args:
        registry: knows its plugin.
        loaded: the dense model; its network is changed.
        evaluation: what measures.
        calibration: what the repair's samples are drawn from.
        table: of the model; or None, where `settings` has a `max_loss`.
        settings: the budget, and how to repair.

    Returns:
        The plan, and the primary metric of what is left, on the samples that the plan's joint loss is from.

    Raises:
        DataError, TableError: a sample can't be decoded, or the metric is 0.
        PlanError: no cut is within the budget.
        CertificateError: the cut network doesn't compute what the masked one does.
    """
    layer, graph = loaded.layer, graph_of_loaded(registry, loaded)
    if table is not None:
        engine = open_engine(table.identity.engine, layer, graph, criterion_of(table.identity.criterion))
    else:
        engine = open_engine("native", layer, graph, "l1" if settings.criterion == "obs" else settings.criterion)
    seen = record(layer, calibration_inputs(calibration, settings.samples), settings.memory)
    cutter = Cutter(layer, graph, engine, seen, settings.ridge, _probe(evaluation.dataset))
    search, judge = (None, evaluation.dataset) if settings.max_loss is None else halves(evaluation.dataset)
    meter = Meter(layer, evaluation.metric, judge, settings.batch_size, "evaluate")
    tried = 0
    if search is None or settings.max_loss is None:
        assert table is not None
        tolerance = TOLERANCE if settings.eval_metric_loss is None else settings.eval_metric_loss
        plan = solve(engine, table, tolerance, settings.round_to)
    else:
        searching = Meter(layer, evaluation.metric, search, settings.batch_size, "measure")
        path = _path(engine, graph, seen, table, settings, loaded)
        plan, tried = largest_cut(cutter, path, searching, settings.max_loss)
    plan = carry_out(cutter, plan, meter, asked=settings.max_loss, tried=tried)
    before = loaded.plan.attributes if loaded.plan else {}
    return plan.model_copy(update={"attributes": {**before, **plan.attributes}}), meter.last


def _path(
    engine: Engine,
    graph: ChannelGraph,
    seen: Record,
    table: SensitivityTable | None,
    settings: PruneSettings,
    loaded: LoadedModel,
) -> Path:
    """Along what the cut grows: a table's tolerances, the units' own order, or one ratio for all groups."""
    if table is not None:
        return TablePath(engine, table, settings.round_to)
    if settings.criterion != "obs":
        return UniformPath(engine, settings.round_to)
    order = order_units(loaded.layer, graph, seen)
    if order.unscored:
        say(f"stay whole, since no layer that can be refitted reads them: {', '.join(order.unscored)}")
    return UnitPath(graph, order, settings.round_to)


def _probe(dataset: Dataset) -> Sequence[Any]:
    samples = [dataset[i] for i in range(min(PROBE, len(dataset)))]
    return dataset.collate(samples)[0]
