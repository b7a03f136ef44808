"""What each amount of what is saved costs: cut, repaired and measured, from almost nothing to almost all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paddleprune.api.batches import CalibrationData, as_dataset
from paddleprune.api.budgets import Priced, better, ceiling_of
from paddleprune.api.calibration import open_calibration
from paddleprune.api.cutting import cut_and_repaired
from paddleprune.api.data import Data
from paddleprune.api.loading import as_path, evaluation_of, open_model
from paddleprune.api.meter import Meter, halves
from paddleprune.api.pruning import Wish, wished, workbench
from paddleprune.errors import ConfigError
from paddleprune.files import check_writable, user_path
from paddleprune.interfaces import Scorer
from paddleprune.pruning import Plan
from paddleprune.registry import Registry
from paddleprune.reports import Front, FrontPoint, draw_front
from paddleprune.settings import CostName, FrontSettings, PruneSettings
from paddleprune.solver import Ceiling, Costs
from paddleprune.solver import Path as PlanPath
from paddleprune.training import select_device
from paddleprune.validation import SETTING, validated


def front(
    checkpoint: str | Path,
    *,
    eval_dataset: Data,
    save_dir: str | Path,
    train_dataset: Data | None = None,
    calibration: CalibrationData | None = None,
    sensitivities_file: str | Path | None = None,
    exclude: str | Sequence[str] = (),
    only: str | Sequence[str] = (),
    scorer: Scorer | None = None,
    **settings: Any,
) -> Front:
    """Measure what is left of the metric at several sizes, each cut and repaired, without training.

    The checkpoint stays as it is. Pick a point by eye, and give its size to `prune` as a budget.

    Args:
        checkpoint: a checkpoint folder.
        eval_dataset: measures, as for `prune`.
        save_dir: gets `front.json`, `front.png` and a plan for each point, `plan_0.50.json`.
        train_dataset: what the repairs' samples are drawn from, as for `prune`.
        calibration: other samples for the repairs, as for `prune`.
        sensitivities_file: the table whose losses say how many units of each group go, as for `prune`.
        exclude: groups that stay whole, by name, by glob or by type, as for `prune`.
        only: the groups that may be pruned, if not all.
        scorer: a function of your own that ranks the units, or ranked those of the table.
        **settings: any field of `FrontSettings`: by (flops, params or latency, the cost along the front), shares (what
            may stay of it, a point each; what can't be reached is left out), criterion, samples, ridge, memory,
            round_to, batch_size, device, runtime, threads, onednn.

    Raises:
        ConfigError: an argument can't be used.
        DataError, CheckpointError, TableError: what was given can't be used.
        CertificateError: a cut model doesn't compute what the masked one does.
        DependencyError: the runtime isn't installed.
    """
    asked = validated(FrontSettings, settings, "front", SETTING)
    by = asked.by
    how = asked.model_dump(exclude={"by", "shares"}, exclude_unset=True)
    chosen = PruneSettings.model_validate({**how, "save": by})
    select_device(chosen.device)
    registry, folder = Registry.discover(), user_path(save_dir)
    check_writable(folder / "front.json")
    loaded = open_model(registry, as_path(checkpoint))
    evaluation = evaluation_of(registry, loaded, eval_dataset)
    given = as_dataset(calibration, loaded, chosen.samples)
    samples = open_calibration(registry, loaded, given, train_dataset, eval_dataset)
    table = None if sensitivities_file is None else as_path(sensitivities_file, "sensitivities_file")
    wish = Wish(chosen, table, exclude, only, scorer, calibration=samples)
    wish = wished(registry, loaded, wish, train_dataset, eval_dataset)
    chosen, bench = wish.settings, workbench(registry, loaded, evaluation, wish)
    priced = Priced.of(bench.layer, bench.engine, chosen)
    paths, judge = bench.paths(priced, chosen), evaluation.dataset
    path = paths[0]
    if len(paths) > 1:
        search, judge = halves(judge)
        measure = Meter(bench.layer, evaluation.metric, search, chosen.batch_size, "measure")
        path, _ = better(bench.cutter, paths, priced.costs, ceiling_of(chosen, priced.costs), measure)
    meter = Meter(bench.layer, evaluation.metric, judge, chosen.batch_size, "evaluate")
    baseline = meter.last
    if priced.watch is not None:
        path = path.rounded(max(priced.watch.blocks[-1], chosen.round_to))
    plans = _plans(path, priced.costs, by, asked.shares)
    points = []
    for plan in plans:
        cut, repaired = cut_and_repaired(bench.cutter, plan, meter)
        measured = None
        if priced.watch is not None:
            measured = priced.watch.of_plan(plan, priced.costs.of(plan)["latency"], None)
            plan = plan.model_copy(update={"latency": measured})
        points.append(_point(plan, cut.metric, repaired.metric, repaired.error, baseline))
        plan.save(folder / f"plan_{points[-1].stays(by):.2f}.json")
    found = Front(
        model=loaded.info.family,
        metric=evaluation.metric.primary,
        higher_is_better=evaluation.metric.higher_is_better,
        baseline=baseline,
        samples=len(judge),
        by=by,
        runtime=asked.runtime if by == "latency" else None,
        points=tuple(points),
    )
    draw_front(found, folder / "front.png", folder / "front.json")
    return found


def _plans(path: PlanPath, costs: Costs, by: CostName, shares: Sequence[float]) -> list[Plan]:
    """The plans of the shares that can be reached, each once."""
    found: list[Plan] = []
    for share in sorted(shares, reverse=True):
        ceiling = Ceiling({by: share * costs.dense[by]}, by)
        plan = path.at_most(ceiling)
        if plan.cuts and ceiling.met(costs.of(plan)) and (not found or not plan.same_cut(found[-1])):
            found.append(plan)
    if not found:
        least = costs.of(path.plan(1))[by] / costs.dense[by]
        stays = f"{least:.3g} {'is foretold to stay' if by == 'latency' else 'stays'}"
        way_out = "give larger ones" + (", or one to prune, which measures" if by == "latency" else "")
        raise ConfigError(f"none of these shares of the {by} can be had: at least {stays}; {way_out}")
    return found


def _point(plan: Plan, cut: float, repaired: float, error: float | None, baseline: float) -> FrontPoint:
    expected = plan.expected
    return FrontPoint(
        flops=plan.after.flops / max(plan.before.flops, 1),
        params=plan.after.parameters / max(plan.before.parameters, 1),
        latency=None if plan.latency is None else plan.latency.pruned / plan.latency.dense,
        expected_loss=sum(expected) if expected else None,
        cut=cut,
        repaired=repaired,
        error=None if error is None else error * abs(baseline),
    )
