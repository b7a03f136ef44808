"""The picture of a sensitivity table: what a tolerance would remove, and where the network is sensitive."""

from __future__ import annotations

from pathlib import Path

from paddleprune.api.loading import as_path, graph_of_loaded, open_model
from paddleprune.engines import Engine, open_engine
from paddleprune.files import user_path
from paddleprune.interfaces import Scorer
from paddleprune.registry import Registry
from paddleprune.report import Curve, CurvePoint, draw_curve, draw_heatmap
from paddleprune.sensitivity import SensitivityTable, criterion_of, model_digest
from paddleprune.solver import solve

TOLERANCES = (0.01, *(round(0.05 * i, 2) for i in range(1, 20)))


def visualize(
    table: str | Path | SensitivityTable,
    *,
    model: str | Path,
    save_dir: str | Path | None = None,
    criterion: Scorer | None = None,
) -> list[Path]:
    """Draw a table: tolerance against the share of parameters and FLOPs removed, and a heat map.

    Args:
        table: a table, or its file.
        model: the checkpoint folder that it was measured of.
        save_dir: where the files go: by default beside the table's file.
        criterion: the function that ranked the units, where it was one of your own.

    Returns:
        The files: `NAME.png`, its data `NAME.curve.json`, and `NAME.heatmap.png`.

    Raises:
        TableError: the table can't be read, or belongs to another model.
    """
    place = Path("sensitivities.json") if isinstance(table, SensitivityTable) else as_path(table, "table")
    loaded_table = table if isinstance(table, SensitivityTable) else SensitivityTable.load(place)
    folder = user_path(save_dir) if save_dir is not None else place.parent
    registry = Registry.discover()
    loaded = open_model(registry, model)
    loaded_table.check_model(model_digest(loaded.layer), str(place))
    identity = loaded_table.identity
    ranking = criterion_of(identity.criterion, criterion)
    engine = open_engine(identity.engine, loaded.layer, graph_of_loaded(registry, loaded), ranking)
    curve = Curve(
        model=loaded.info.family,
        metric=identity.metric,
        baseline=loaded_table.baseline,
        points=[_point(engine, loaded_table, tolerance) for tolerance in TOLERANCES],
    )
    stem = place.name.removesuffix(".json")
    pictures = [folder / f"{stem}.png", folder / f"{stem}.curve.json", folder / f"{stem}.heatmap.png"]
    draw_curve(curve, pictures[0], pictures[1])
    ratios = sorted({p.ratio for points in loaded_table.groups.values() for p in points})
    losses = [[_loss(loaded_table, name, ratio) for ratio in ratios] for name in loaded_table.groups]
    draw_heatmap(list(loaded_table.groups), ratios, losses, pictures[2], title=f"{loaded.info.family}: metric loss")
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
