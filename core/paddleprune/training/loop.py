"""The training loop, for any task: it sees a layer, a loss, a metric and two datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from paddle import nn

from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Dataset, Loss, Metric
from paddleprune.measure.evaluation import Batches
from paddleprune.pruning.plan import Plan
from paddleprune.settings import TrainSettings
from paddleprune.specs import Contract
from paddleprune.training.average import Average
from paddleprune.training.checkpoint import CheckpointInfo, read_info
from paddleprune.training.device import select_device
from paddleprune.training.freezing import freeze
from paddleprune.training.loader import TrainLoader
from paddleprune.training.mixing import Mixing
from paddleprune.training.optimizer import build_optimizer
from paddleprune.training.places import BEST, resume_folder
from paddleprune.training.ranks import ALONE, Ranks
from paddleprune.training.run import Run
from paddleprune.training.scalars import Scalars
from paddleprune.training.schedules import build_schedule
from paddleprune.training.sparsity import Lasso, growing
from paddleprune.training.state import EpochRecord
from paddleprune.training.step import TrainStep
from paddleprune.training.teacher import Teacher


class TrainResult(Contract):
    """What training gave.

    Attributes:
        best_model: the checkpoint with the best primary metric.
        last_model: the checkpoint after the last epoch; training can resume from it.
        best_epoch: the epoch behind `best_model`.
        metrics: of `best_model`.
        history: every epoch, resumed ones included.
    """

    best_model: Path
    last_model: Path
    best_epoch: int
    metrics: dict[str, float]
    history: tuple[EpochRecord, ...]


def fit(
    layer: nn.Layer,
    loss: Loss,
    metric: Metric,
    train_dataset: Dataset,
    eval_dataset: Dataset,
    settings: TrainSettings,
    save_dir: Path,
    info: CheckpointInfo,
    plan: Plan | None = None,
    resume: Path | None = None,
    teacher: Teacher | None = None,
    graph_of: Callable[[nn.Layer], ChannelGraph] | None = None,
    ranks: Ranks = ALONE,
) -> TrainResult:
    """Train a layer, in place, and leave checkpoints in `save_dir`.

    `best_model/` holds the best epoch by the metric's primary value, `epoch_N/` every epoch that was evaluated,
    each with all that resuming needs; none is ever deleted. A resumed run ends with the same weights as one
    that was never interrupted, bit for bit on a CPU.

    Args:
        layer: built after `select_device(settings.device)`.
        loss: what to minimise.
        metric: what evaluation reports.
        train_dataset: read by several threads if `settings.num_workers`.
        eval_dataset: decoded once, if memory allows.
        settings: what the user chose.
        save_dir: where results go; made ready by `go_on`.
        info: what the checkpoints say about the model; metrics and epochs are filled in.
        plan: how the layer was pruned, if it was.
        resume: an `epoch_N` folder, or the `save_dir` of a run: its weights, plan and state replace the layer's,
            which need only be the same family with the same options.
        teacher: whose outputs, and layers, are learned beside the labels.
        graph_of: finds the layer's channels, where `settings.sparsity` pulls at them.
        ranks: the processes that make this call together, with the same arguments; the first one evaluates and saves.

    Raises:
        ConfigError: a setting can't be used here, or the loss became NaN.
        WorkerError: another rank has ended.
        DataError: fewer images than a batch, or an image or label that can't be used. The evaluation data is read
            before the first epoch.
        DependencyError: `use_vdl` without visualdl.
        CheckpointError: `resume` can't be read or doesn't fit.
        SaveError: the disk is full; the last checkpoint is whole.
    """
    select_device(settings.device)
    if settings.sync_norms:
        layer = ranks.synchronised(layer)
    size, workers = settings.train_batch_size, settings.num_workers
    loader = TrainLoader(train_dataset, size, settings.seed, workers, settings.parts, ranks)
    batches = Batches(eval_dataset, settings.eval_batch_size)
    schedule = build_schedule(settings, len(loader))
    frozen = freeze(layer, settings.freeze)
    optimizer = build_optimizer(layer, settings, schedule)
    average = None if settings.ema is None else Average(layer, settings.ema)
    step = TrainStep(layer, loss, optimizer, schedule, settings.amp, average, teacher, ranks)
    if settings.mixup or settings.cutmix:
        step.mixing = Mixing(settings, train_dataset)
    folder = resume_folder(resume) if resume is not None else None
    scalars = Scalars(save_dir / "vdl_log" if settings.use_vdl and ranks.first else None)
    run = Run(settings, save_dir, info, plan, metric, loader, batches, step, scalars, frozen, ranks)
    try:
        if folder is not None:
            run.restore(folder)
        if settings.sparsity and graph_of is not None:
            step.lasso = Lasso(layer, graph_of(layer), growing(settings, len(loader)))  # of the restored layer
        run.train()
    finally:
        scalars.close()
    return _result(run)


def _result(run: Run) -> TrainResult:
    assert run.best is not None  # both are set by the first evaluation, or by resuming
    assert run.last is not None
    best_model = run.save_dir / BEST
    return TrainResult(
        best_model=best_model,
        last_model=run.last,
        best_epoch=run.best.epoch,
        metrics=read_info(best_model).metrics,
        history=tuple(run.history),
    )
