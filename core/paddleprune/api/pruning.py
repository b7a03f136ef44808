"""A trained model, a budget and samples -> the model, cut in place, and repaired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from paddle import nn

from paddleprune.api.budgets import Priced, decide, within
from paddleprune.api.calibration import calibration_inputs, open_labelled
from paddleprune.api.cutting import Cutter, carry_out
from paddleprune.api.data import Data
from paddleprune.api.loading import Evaluation, check_labels, graph_of_loaded, open_model
from paddleprune.api.meter import Meter, halves
from paddleprune.api.paths import paths_for
from paddleprune.api.scoring import named_function, score_by
from paddleprune.console import counted, say
from paddleprune.engines import Engine, left_whole, open_engine
from paddleprune.errors import ConfigError
from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.interfaces import Dataset, Scorer, read_sample
from paddleprune.pruning import Plan, joined
from paddleprune.registry import Registry
from paddleprune.repair import Record, heads_of, record
from paddleprune.sensitivity import (
    Prunable,
    Question,
    SensitivityTable,
    criterion_name,
    criterion_of,
    model_digest,
    unsure,
)
from paddleprune.settings import DATA_CRITERIA, PruneSettings
from paddleprune.solver import Path as PlanPath
from paddleprune.solver import solve
from paddleprune.specs import FamilyOptions
from paddleprune.training import LoadedModel

PROBE = 8
"""Samples in the probe batch of a certificate, at most."""


@dataclass(frozen=True)
class Wish:
    """How to prune.

    Attributes:
        settings: the budget, and how to repair.
        table_file: the sensitivity table; None to order the units otherwise, within a budget.
        exclude: groups that stay whole, by name or glob.
        only: if there are any, the groups that may be pruned; all others stay whole.
        criterion: a function of the user's own that ranks the units, or ranked those of the table.
        labelled: what labelled samples are drawn from, where the settings' criterion needs some.
        calibration: what the repair's samples are drawn from; None for no repair.
        heads: whether the layers that give the outputs are refitted, too. Training that follows fits them better.
    """

    settings: PruneSettings
    table_file: Path | None = None
    exclude: str | Sequence[str] = ()
    only: str | Sequence[str] = ()
    criterion: Scorer | None = None
    labelled: Dataset | None = None
    calibration: Dataset | None = None
    heads: bool = True


def open_analyzed(registry: Registry, weights: str | Path, options: FamilyOptions, evaluation: Dataset) -> LoadedModel:
    """The analyzed model.

    Raises:
        ConfigError: the user wants other options or classes than it has.
    """
    loaded = open_model(registry, weights)
    check_labels(evaluation, loaded.info.labels, str(weights))
    if loaded.options != options:
        before, now = loaded.options.model_dump(), options.model_dump()
        name = next(name for name in now if now[name] != before.get(name))
        raise ConfigError(f"{weights} has the {name} {before.get(name)}, not {now[name]}; leave the options out")
    return loaded


@dataclass(frozen=True)
class Workbench:
    """A dense network, and what cuts, repairs and proves it.

    Attributes:
        layer: the network.
        graph: its channel graph.
        engine: what cuts.
        table: its sensitivity table, if there is one.
        whole: groups that stay whole.
        seen: what it gave for the calibration samples; None for no repair.
        cutter: carries plans out.
    """

    layer: nn.Layer
    graph: ChannelGraph
    engine: Engine
    table: SensitivityTable | None
    whole: frozenset[str]
    seen: Record | None
    cutter: Cutter

    def paths(self, priced: Priced, asked: PruneSettings) -> list[PlanPath]:
        """The plans in a row that a budget picks from."""
        return paths_for(
            self.engine, self.layer, self.graph, priced.costs, asked, seen=self.seen, table=self.table, whole=self.whole
        )


def wished(
    registry: Registry,
    loaded: LoadedModel,
    wish: Wish,
    training: Data | None,
    evaluation: Data,
) -> Wish:
    """A wish with all that its criterion needs: labelled samples, or the function that it names.

    Args:
        registry: knows the task.
        loaded: the model.
        wish: how to prune.
        training: the training data.
        evaluation: the evaluation data.

    Raises:
        ConfigError: there is no such function, or no training data.
        DataError: naming the file or line.
    """
    order = wish.settings.criterion
    if wish.table_file is None and wish.criterion is None and order in DATA_CRITERIA:
        return replace(wish, labelled=open_labelled(registry, loaded, order, training, evaluation))
    function = wish.criterion or named_function(order)
    if function is None:
        return wish
    return replace(
        wish, criterion=function, settings=wish.settings.model_copy(update={"criterion": criterion_name(function)})
    )


def workbench(registry: Registry, loaded: LoadedModel, evaluation: Evaluation, wish: Wish) -> Workbench:
    """Trace a model, read its table, and run it on the calibration samples.

    Raises:
        DataError, TableError: a sample can't be decoded, or the table is another model's.
    """
    layer, graph = loaded.layer, graph_of_loaded(registry, loaded, depth=wish.settings.depth)
    table = _table(loaded, wish)
    engine = _engine(registry, loaded, graph, table, wish)
    seen = None
    if wish.calibration is not None:
        seen = record(layer, calibration_inputs(wish.calibration, wish.settings.samples), wish.settings.memory)
    leave = frozenset() if wish.heads else heads_of(graph)
    cutter = Cutter(layer, graph, engine, seen, wish.settings.ridge, _probe(evaluation.dataset), leave)
    return Workbench(layer, graph, engine, table, left_whole(engine, layer, wish.exclude, wish.only), seen, cutter)


def cut_and_repair(registry: Registry, loaded: LoadedModel, evaluation: Evaluation, wish: Wish) -> tuple[Plan, float]:
    """Cut a checkpoint's network to a budget, in place, repair it, and measure what that costs.

    Args:
        registry: knows its plugin.
        loaded: the dense model; its network is changed.
        evaluation: what measures.
        wish: how to prune.

    Returns:
        The plan, and the primary metric of what is left, on the samples that the plan's joint loss is from.

    Raises:
        DataError, TableError: a sample can't be decoded, the metric is 0, or the table is another model's.
        PlanError: no cut is within the budget.
        CertificateError: the cut network doesn't compute what the masked one does.
    """
    bench, asked = workbench(registry, loaded, evaluation, wish), wish.settings
    layer, engine, table = bench.layer, bench.engine, bench.table
    tried, judge = 0, evaluation.dataset
    if table is not None and not asked.limits and asked.max_loss is None:
        assert wish.table_file is not None
        plan = solve(engine, table, asked.tolerance, asked.round_to, bench.whole)
        groups = [group for group in engine.groups if group.name not in bench.whole]
        _say_what_is_estimated(table, groups, asked.tolerance, wish.table_file)
    else:
        priced = Priced.of(layer, engine, asked)
        paths, searching = bench.paths(priced, asked), None
        if asked.max_loss is not None or len(paths) > 1:
            search, judge = halves(evaluation.dataset)
            searching = Meter(layer, evaluation.metric, search, asked.batch_size, "measure")
        plan, tried = decide(bench.cutter, paths, bench.graph, priced, asked, searching)
    meter = Meter(layer, evaluation.metric, judge, asked.batch_size, "evaluate")
    earlier = 0 if loaded.plan is None else 1 + (loaded.plan.joint.earlier if loaded.plan.joint else 0)
    plan = carry_out(bench.cutter, plan, meter, asked=asked.max_loss, tried=tried, earlier=earlier)
    return _with_earlier(registry, loaded, bench.graph, plan), meter.last


def check_reachable(registry: Registry, loaded: LoadedModel, evaluation: Evaluation, wish: Wish) -> None:
    """Refuse limits of costs that can't be had of a network, which stays as it is.

    Raises:
        PlanError: naming what can be had.
    """
    bench, asked = workbench(registry, loaded, evaluation, wish), wish.settings
    priced = Priced.of(bench.layer, bench.engine, asked)
    within(bench.paths(priced, asked)[0], bench.graph, priced, asked)


def _with_earlier(registry: Registry, loaded: LoadedModel, graph: ChannelGraph, plan: Plan) -> Plan:
    """A cut of a network together with the cuts that it had been through."""
    first = loaded.plan
    if first is None:
        return plan
    plan = plan.model_copy(update={"attributes": {**first.attributes, **plan.attributes}})
    fresh = registry.build_model(loaded.info.task, loaded.info.family, loaded.options)
    shapes = [(1, *shape) for shape in loaded.options.input_shapes()]
    dense = build_graph(fresh, shapes, depth=bool(first.branches or plan.branches))
    both = joined(first, dense, plan, graph)
    if both is None:
        say("the plan says what this cut took; what earlier ones did isn't in it")
        return plan
    say(f"with the cuts before it: {both.summary()}")
    return both


def _table(loaded: LoadedModel, wish: Wish) -> SensitivityTable | None:
    if wish.table_file is None:
        return None
    table = SensitivityTable.load(wish.table_file)
    table.check_model(model_digest(loaded.layer), str(wish.table_file))
    return table


def _engine(
    registry: Registry, loaded: LoadedModel, graph: ChannelGraph, table: SensitivityTable | None, wish: Wish
) -> Engine:
    if table is not None:
        return open_engine(table.identity.engine, loaded.layer, graph, criterion_of(table, wish.criterion))
    ranking: Any = wish.criterion or wish.settings.criterion
    if wish.labelled is not None:
        ranking = score_by(registry, loaded, graph, ranking, wish.labelled, wish.settings.samples)
    return open_engine("native", loaded.layer, graph, "l1" if ranking == "obs" else ranking)


def _probe(dataset: Dataset) -> Sequence[Any]:
    samples = [read_sample(dataset, i) for i in range(min(PROBE, len(dataset)))]
    return dataset.collate(samples)[0]


def _say_what_is_estimated(
    table: SensitivityTable, groups: Sequence[Prunable], eval_metric_loss: float, file: Path
) -> None:
    if table.identity.estimated is not None:
        say(f"{file} is an estimate: its losses are rises of the training loss, and so is eval_metric_loss")
        return
    estimated = unsure(table, groups, Question((eval_metric_loss,)))
    if estimated:
        say(
            f"{file} wasn't measured for eval_metric_loss {eval_metric_loss:g}: what goes of "
            f"{counted(len(estimated), 'group')} is an estimate; `paddleprune analyze --tolerance "
            f"{eval_metric_loss:g}` with this file measures it"
        )
