"""Cut a trained model and repair it: it works at once, without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddleprune.api.batches import CalibrationData, as_dataset
from paddleprune.api.calibration import open_calibration
from paddleprune.api.data import Data
from paddleprune.api.loading import as_path, evaluation_of, open_model
from paddleprune.api.pruning import Wish, cut_and_repair, wished
from paddleprune.api.report import leave_report
from paddleprune.api.rules import Request, check
from paddleprune.files import user_path
from paddleprune.interfaces import Scorer
from paddleprune.locks import locked
from paddleprune.pruning import Plan
from paddleprune.registry import Registry
from paddleprune.settings import PruneSettings
from paddleprune.training import save_checkpoint, select_device
from paddleprune.training.places import place_for_model
from paddleprune.validation import SETTING, validated


@dataclass(frozen=True)
class PruneResult:
    """What pruning gave.

    Attributes:
        best_model: the checkpoint of the cut and repaired model.
        plan: what went, with its certificate, repair and joint loss.
        metrics: the primary metric on the samples that the joint loss is from.
    """

    best_model: Path
    plan: Plan
    metrics: dict[str, float]


def prune(
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
    overwrite: bool = False,
    **settings: Any,
) -> PruneResult:
    """Cut a trained model to a budget and repair it in closed form, without training.

    With `flops` or `params` so much is cut that every limit is met, with the least expected loss. With `max_loss`
    alone the largest cut is searched whose joint loss, measured on half of the evaluation samples after the
    repair, is within it by one standard error; the other half gives the figures that are reported. Limits that can't
    be had, alone or together, are refused with what can.

    Args:
        checkpoint: a checkpoint folder.
        eval_dataset: measures: a folder in the task's layout, the fields of its dataset config, or a Dataset.
        save_dir: gets `best_model/`, `plan.json` and `report.html`.
        train_dataset: what the repair's samples are drawn from, preprocessed as for evaluation, and with their labels
            those that the criteria "taylor" and "obd" look at; by default the training split of `eval_dataset`, if
            that is a folder.
        calibration: other samples for the repair, instead; without labels is fine. Anything that gives batches of
            inputs, such as a `paddle.io.DataLoader`, will do: its first samples are taken, without labels.
        sensitivities_file: the table that `analyze` measured of the checkpoint. Its losses may then say how many units
            of each group go: of that plan and the one without a table the better is taken, measured on half of the
            evaluation samples. Within a group those go first that a repair can do without.
        exclude: groups that stay whole, by name, by glob (`features.0.*`) or by the type of the layers that make them
            (`type:Linear`).
        only: likewise, the groups that may be pruned, if not all.
        scorer: a function of your own that ranks the units, or ranked those of the table.
        overwrite: replace a model that `save_dir` holds, once the new one is there.
        **settings: any field of `PruneSettings`: flops, params, max_loss, save, eval_metric_loss, criterion, samples,
            ridge, memory, round_to, batch_size, device.

    Raises:
        ConfigError: an argument can't be used, or no budget is given.
        DataError, CheckpointError, TableError: what was given can't be used.
        PlanError: no cut is within the budget.
        CertificateError: the cut model doesn't compute what the masked one does.
    """
    chosen = validated(PruneSettings, settings, "prune", SETTING)
    check(Request(chosen, table=sensitivities_file is not None))
    select_device(chosen.device)
    registry = Registry.discover()
    folder = user_path(save_dir)
    with locked(folder / ".lock", folder, "choose another save_dir"):
        best = place_for_model(folder, overwrite)
        loaded = open_model(registry, as_path(checkpoint))
        evaluation = evaluation_of(registry, loaded, eval_dataset)
        given = as_dataset(calibration, loaded, chosen.samples)
        samples = open_calibration(registry, loaded, given, train_dataset, eval_dataset)
        table = None if sensitivities_file is None else as_path(sensitivities_file, "sensitivities_file")
        wish = Wish(chosen, table, exclude, only, scorer, calibration=samples)
        wish = wished(registry, loaded, wish, train_dataset, eval_dataset)
        plan, value = cut_and_repair(registry, loaded, evaluation, wish)
        metrics = {evaluation.metric.primary: value}
        save_checkpoint(best, loaded.layer, loaded.info.model_copy(update={"metrics": metrics}), plan)
        plan.save(folder / "plan.json")
        leave_report(folder)
    return PruneResult(best, plan, metrics)
