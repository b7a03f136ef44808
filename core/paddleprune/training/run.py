"""A training run and where it stands: epochs, evaluation, checkpoints, early stop."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from paddle import nn

from paddleprune.console import Task, progress, say
from paddleprune.errors import ConfigError, Interrupted
from paddleprune.files import write_json
from paddleprune.interfaces import Array, Metric
from paddleprune.measure.evaluation import Batches, eager_forward, evaluate
from paddleprune.pruning.plan import Plan
from paddleprune.settings import TrainSettings
from paddleprune.training.checkpoint import CheckpointInfo, read_checkpoint, read_state, save_checkpoint
from paddleprune.training.load import restore_weights
from paddleprune.training.loader import TrainLoader
from paddleprune.training.log import StepLog
from paddleprune.training.optimizer import optimizer_state, restore_optimizer
from paddleprune.training.places import BEST, HISTORY, epoch_folder, restore_best
from paddleprune.training.ranks import ALONE, Ranks
from paddleprune.training.scalars import Scalars
from paddleprune.training.seeding import seed_everything
from paddleprune.training.state import Best, EpochRecord, TrainState
from paddleprune.training.step import TrainStep


@dataclass
class Run:
    """What `fit` works with, and, below, what changes from epoch to epoch."""

    settings: TrainSettings
    save_dir: Path
    info: CheckpointInfo
    plan: Plan | None
    metric: Metric
    loader: TrainLoader
    batches: Batches
    step: TrainStep
    scalars: Scalars
    frozen: Sequence[nn.Layer] = ()
    ranks: Ranks = ALONE
    epoch: int = 0
    best: Best | None = None
    last: Path | None = None
    history: list[EpochRecord] = field(default_factory=list)

    def restore(self, folder: Path) -> None:
        """Stand where the checkpoint stood.

        Raises:
            CheckpointError: it can't be read, doesn't fit, or holds no training state.
        """
        state, accumulators = read_state(folder)
        checkpoint = read_checkpoint(folder)
        restore_weights(self.step.layer, checkpoint)
        if self.step.average is not None:
            accumulators = self.step.average.restore(accumulators, state.averaged)
        restore_optimizer(self.step.optimizer, self.step.layer, accumulators)
        self.step.schedule.set_state_dict(dict(state.schedule))
        self.step.restore_scaler(state.scaler)
        best = self.ranks.once(lambda: restore_best(self.save_dir, checkpoint, state.best).model_dump(mode="json"))
        self.best = Best.model_validate(best)
        self.epoch, self.last, self.history = state.epoch, folder, list(state.history)
        self.plan = checkpoint.plan
        self.ranks.once(self._write_history)

    def train(self) -> None:
        """Run the epochs that are left."""
        epochs = range(self.epoch + 1, self.settings.num_epochs + 1)
        if not epochs or self._stopped():
            say(
                f"nothing left to train in {self.save_dir} after epoch {self.epoch}; for more, resume "
                f"{self.last} with more num_epochs or early_stop_patience"
            )
            return
        if self.last is not None:
            say(f"going on after epoch {self.epoch}, from {self.last}")
        self.ranks.once(self._try_evaluation)
        start, most = time.monotonic(), self.settings.max_time or math.inf
        try:
            with progress("train", len(epochs) * len(self.loader)) as task:
                log = StepLog(self.settings, len(self.loader), len(epochs), task, self.scalars)
                for epoch in epochs:
                    self._train_epoch(epoch, log)
                    over = self.ranks.once(lambda: time.monotonic() - start >= most)
                    if over or epoch % self.settings.save_interval_epochs == 0 or epoch == self.settings.num_epochs:
                        self._evaluate(task)
                    if self._stopped():
                        task.log(f"early stop: no improvement in {self.settings.early_stop_patience} evaluations")
                        break
                    if over and epoch < self.settings.num_epochs:
                        task.log(f"max_time is over; {self._way_back()}")
                        break
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; {self._way_back()}") from None

    def _try_evaluation(self) -> None:
        """Read all evaluation data, and evaluate the first batch: what is wrong there must not cost an epoch."""
        size = self.batches.batch_size
        inputs, targets = self.batches.take(0, size)
        self.metric.reset()
        self.metric.update(eager_forward(self.step.layer)(inputs), targets)
        others = range(size, len(self.batches.dataset), size)
        with progress("read the evaluation data", len(others)) as bar:
            for start in others:
                self.batches.take(start, start + size)
                bar.advance()

    def _train_epoch(self, epoch: int, log: StepLog) -> None:
        seed_everything(self.settings.seed, epoch, self.ranks.rank)
        self.step.layer.train()
        for layer in self.frozen:
            layer.eval()
        start, total, rate = time.monotonic(), 0.0, 0.0
        for number, parts in enumerate(self.loader.epoch(epoch), 1):
            rate = float(self.step.schedule.get_lr())
            loss = self.step(parts)
            if not math.isfinite(loss):
                raise ConfigError(
                    f"the loss became {loss} at epoch {epoch}, step {number}, with learning rate {rate:.6g}; lower "
                    f"learning_rate (try a tenth) or lengthen warmup_steps, and check the labels; {self._way_back()}"
                )
            total += loss
            log.step(epoch, number, loss, rate)
        seconds = round(time.monotonic() - start, 3)
        record = EpochRecord(epoch=epoch, loss=total / len(self.loader), learning_rate=rate, seconds=seconds)
        self.history.append(record)
        self.epoch = epoch

    def _evaluate(self, task: Task) -> None:
        self.ranks.average_statistics(self.step.layer)
        averaged: AbstractContextManager[dict[str, Array]] = nullcontext({})
        if self.step.average is not None:
            averaged = self.step.average.applied()
        with averaged as raw:
            self._evaluate_and_save(task, raw)

    def _evaluate_and_save(self, task: Task, raw: Mapping[str, Array]) -> None:
        metrics = self.ranks.once(lambda: evaluate(eager_forward(self.step.layer), self.metric, self.batches))
        self.history[-1] = self.history[-1].model_copy(update={"metrics": metrics})
        for name, number in metrics.items():
            self.scalars.add(f"eval/{name}", number, self.epoch)
        now = Best(epoch=self.epoch, value=metrics[self.metric.primary])
        self.best = self.best.or_later(now, self.metric.higher_is_better) if self.best else now
        self.last = epoch_folder(self.save_dir, self.epoch)
        self.ranks.once(partial(self._save, metrics, self.best, raw))
        shown = ", ".join(f"{name} {number:.4f}" for name, number in metrics.items())
        task.log(
            f"epoch {self.epoch}/{self.settings.num_epochs} evaluated: {shown} "
            f"(best {self.metric.primary} {self.best.value:.4f}, epoch {self.best.epoch}) -> {self.last}"
        )

    def _save(self, metrics: dict[str, float], best: Best, raw: Mapping[str, Array]) -> None:
        """Save `best_model` before `epoch_N`, so that whoever resumes `epoch_N` finds the best of up to N."""
        about = {
            "metrics": metrics,
            "primary_metric": self.metric.primary,
            "higher_is_better": self.metric.higher_is_better,
            "completed_epochs": self.epoch,
        }
        info, layer = self.info.model_copy(update=about), self.step.layer
        if best.epoch == self.epoch:
            save_checkpoint(self.save_dir / BEST, layer, info, self.plan)
        folder = epoch_folder(self.save_dir, self.epoch)
        accumulators = {**optimizer_state(self.step.optimizer, layer), **raw}
        save_checkpoint(folder, layer, info, self.plan, self._state(best), accumulators)
        self._write_history()

    def _write_history(self) -> None:
        write_json(self.save_dir / HISTORY, [record.model_dump(mode="json") for record in self.history])

    def _state(self, best: Best) -> TrainState:
        return TrainState(
            epoch=self.epoch,
            samples=len(self.loader.dataset),
            settings=self.settings,
            best=best,
            history=tuple(self.history),
            schedule=self.step.schedule.state_dict(),
            scaler=self.step.scaler_state(),
            averaged=0 if self.step.average is None else self.step.average.steps,
        )

    def _stopped(self) -> bool:
        patience = self.settings.early_stop_patience
        return self.settings.early_stop and self.best is not None and self.best.since >= patience

    def _way_back(self) -> str:
        return f"the same command goes on after {self.last}" if self.last else "no checkpoint had been saved yet"
