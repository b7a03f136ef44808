"""The picture of a sensitivity table: what a tolerance would remove, and where the network is sensitive."""

from __future__ import annotations

from pathlib import Path

from paddleprune.api.calibration import open_calibration
from paddleprune.api.cutting import cut_and_repaired
from paddleprune.api.data import Data
from paddleprune.api.layer.graph import LayerGraph
from paddleprune.api.loading import as_path, evaluation_of, graph_of_loaded, open_model
from paddleprune.api.meter import Meter
from paddleprune.api.pruning import Wish, workbench
from paddleprune.engines import Engine, open_engine
from paddleprune.errors import ConfigError
from paddleprune.files import user_path
from paddleprune.interfaces import Scorer
from paddleprune.registry import Registry
from paddleprune.reports import Curve, CurvePoint, JointPoint, draw_curve, draw_heatmap
from paddleprune.sensitivity import SensitivityTable, criterion_of, model_digest
from paddleprune.settings import PruneSettings
from paddleprune.solver import solve
from paddleprune.training import LoadedModel

MEASURED = (0.01, 0.05, 0.1, 0.2, 0.4)
"""The tolerances whose plans are measured, where there is data."""
TOLERANCES = (0.01, *(round(0.05 * i, 2) for i in range(1, 20)))


def visualize(
    table: str | Path | SensitivityTable,
    *,
    model: str | Path | LayerGraph,
    save_dir: str | Path | None = None,
    criterion: Scorer | None = None,
    eval_dataset: Data | None = None,
    train_dataset: Data | None = None,
) -> list[Path]:
    """Draw a table: tolerance against the share of parameters and FLOPs removed, and a heat map.

    Args:
        table: a table, or its file.
        model: the checkpoint folder that it was measured of; or the traced layer, as `trace` gave it.
        save_dir: where the files go: by default beside the table's file.
        criterion: the function that ranked the units, where it was one of your own.
        eval_dataset: measures what the whole plans of some tolerances lose, cut and repaired, for the picture; the
            table must be a file then.
        train_dataset: what the repairs' samples are drawn from; by default the training split of `eval_dataset`.

    Returns:
        The files: `NAME.png`, its data `NAME.curve.json`, and `NAME.heatmap.png`.

    Raises:
        TableError: the table can't be read, or belongs to another model.
        ConfigError, DataError: the data can't be used, or the model is a layer, for which there is none.
    """
    place = Path("sensitivities.json") if isinstance(table, SensitivityTable) else as_path(table, "table")
    loaded_table = table if isinstance(table, SensitivityTable) else SensitivityTable.load(place)
    folder = user_path(save_dir) if save_dir is not None else place.parent
    joint: list[JointPoint] = []
    if isinstance(model, LayerGraph):
        if eval_dataset is not None:
            raise ConfigError("losses of whole plans are measured of checkpoints; for a layer leave eval_dataset out")
        model.check_current()
        layer, graph, name = model.layer, model.channels, type(model.layer).__name__
    else:
        registry = Registry.discover()
        loaded = open_model(registry, model)
        layer, graph, name = loaded.layer, graph_of_loaded(registry, loaded), loaded.info.family
    loaded_table.check_model(model_digest(layer), str(place))
    identity = loaded_table.identity
    engine = open_engine(identity.engine, layer, graph, criterion_of(loaded_table, criterion))
    if eval_dataset is not None:
        if isinstance(table, SensitivityTable):
            raise ConfigError("measured losses need the table's file: save the table, and give its path")
        samples = open_calibration(registry, loaded, None, train_dataset, eval_dataset)
        wish = Wish(PruneSettings(), place, criterion=criterion, calibration=samples)
        joint = _joint(registry, loaded, eval_dataset, wish, loaded_table)
    curve = Curve(
        model=name,
        metric=identity.metric,
        baseline=loaded_table.baseline,
        points=[_point(engine, loaded_table, tolerance) for tolerance in TOLERANCES],
        joint=joint,
    )
    stem = place.name.removesuffix(".json")
    pictures = [folder / f"{stem}.png", folder / f"{stem}.curve.json", folder / f"{stem}.heatmap.png"]
    draw_curve(curve, pictures[0], pictures[1])
    ratios = sorted({p.ratio for points in loaded_table.groups.values() for p in points})
    losses = [[_loss(loaded_table, group, ratio) for ratio in ratios] for group in loaded_table.groups]
    draw_heatmap(list(loaded_table.groups), ratios, losses, pictures[2], title=f"{name}: metric loss")
    return pictures


def _loss(table: SensitivityTable, group: str, ratio: float) -> float | None:
    point = table.point(group, ratio)
    return None if point is None else point.loss


def _point(engine: Engine, table: SensitivityTable, tolerance: float) -> CurvePoint:
    plan = solve(engine, table, tolerance)
    return CurvePoint(
        eval_metric_loss=tolerance,
        parameters_removed=1 - plan.after.parameters / plan.before.parameters,
        flops_removed=1 - plan.after.flops / max(plan.before.flops, 1),
    )


def _joint(
    registry: Registry, loaded: LoadedModel, data: Data, wish: Wish, table: SensitivityTable
) -> list[JointPoint]:
    """What the whole plans of some tolerances lose; those that cut nothing are left out."""
    evaluation = evaluation_of(registry, loaded, data)
    bench = workbench(registry, loaded, evaluation, wish)
    meter = Meter(bench.layer, evaluation.metric, evaluation.dataset, wish.settings.batch_size, "evaluate")
    found = []
    for tolerance in MEASURED:
        plan = solve(bench.engine, table, tolerance)
        if plan.cuts:
            cut, repaired = cut_and_repaired(bench.cutter, plan, meter)
            found.append(
                JointPoint(eval_metric_loss=tolerance, cut=cut.loss, repaired=repaired.loss, error=repaired.error)
            )
    return found
