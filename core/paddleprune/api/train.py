"""Steps 1 and 3: train a model the normal way; or prune it with a table and a tolerance, and retrain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paddleprune import __version__
from paddleprune.api.data import Data, open_dataset
from paddleprune.api.loading import check_labels, graph_of_loaded, metric_of, open_model
from paddleprune.console import say
from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array, Dataset
from paddleprune.pruning import Plan, make_plan, prune
from paddleprune.registry import Registry
from paddleprune.sensitivity import SensitivityTable, model_digest, rank
from paddleprune.specs import FamilyOptions
from paddleprune.training import (
    CheckpointInfo,
    LoadedModel,
    TrainResult,
    TrainSettings,
    fit,
    load_weights,
    read_checkpoint,
    seed_everything,
    select_device,
)
from paddleprune.validation import validated

PROBE = 8
"""Images in the probe batch of a certificate, at most."""


def train(
    task: str,
    *,
    train_dataset: Data,
    eval_dataset: Data,
    save_dir: str | Path,
    model: str | None = None,
    options: Mapping[str, Any] | None = None,
    pretrain_weights: str | Path | None = None,
    sensitivities_file: str | Path | None = None,
    eval_metric_loss: float = 0.05,
    resume_checkpoint: str | Path | None = None,
    loss: Mapping[str, Any] | None = None,
    metric: Mapping[str, Any] | None = None,
    **settings: Any,
) -> TrainResult:
    """Train a model; with `sensitivities_file`, prune it first.

    Args:
        task: a task's name, such as "classification".
        train_dataset: a folder in the task's layout, the fields of its dataset config, or a Dataset.
        eval_dataset: the same, for the evaluation after each epoch.
        save_dir: gets `best_model/`, `epoch_N/` and, after pruning, `plan.json`.
        model: a family's name; may be left out where `pretrain_weights` or `resume_checkpoint` says it.
        options: the family's options; `num_classes` comes from the data.
        pretrain_weights: a checkpoint folder to start from.
        sensitivities_file: the table that `analyze` measured of `pretrain_weights`.
        eval_metric_loss: the tolerance: each group alone may lose this share of the metric.
        resume_checkpoint: an `epoch_N` folder of an earlier run, to continue exactly.
        loss: options of the task's loss.
        metric: options of the task's metric.
        **settings: any field of `TrainSettings`: num_epochs, train_batch_size, learning_rate,
            lr_decay_epochs, save_interval_epochs, log_interval_steps, early_stop, use_vdl, ...

    Raises:
        ConfigError: an argument can't be used, or two of them contradict each other.
        DataError, CheckpointError, TableError: what was given can't be used.
        CertificateError: the shrunk model doesn't compute what the masked one does.
    """
    chosen = validated(TrainSettings, settings, "training")
    device = select_device(chosen.device)
    registry = Registry.discover()
    registry.task(task)
    start = resume_checkpoint or pretrain_weights
    family, family_options = _family(registry, task, model, options, start)
    training = open_dataset(registry, task, train_dataset, "train", family_options)
    evaluation = open_dataset(registry, task, eval_dataset, "eval", family_options)
    family_options = _with_classes(registry, task, family, family_options, options, training)
    check_labels(evaluation, training.labels, "the training data")
    loss_config = registry.loss_config(task, loss or {})
    built_metric = metric_of(registry, task, metric or {}, training.labels)
    seed_everything(chosen.seed, 0)
    if sensitivities_file is not None:
        if pretrain_weights is None:
            raise ConfigError("pruning starts from trained weights: give pretrain_weights, the model that was analyzed")
        loaded = _same(open_model(registry, pretrain_weights), family, family_options)
        plan: Plan | None = _prune(registry, loaded, Path(sensitivities_file), eval_metric_loss, evaluation)
        assert plan is not None
        plan.save(Path(save_dir) / "plan.json")
    elif start is not None and _fits(start, family, family_options):
        loaded = open_model(registry, start)
        plan = loaded.plan
    else:
        loaded, plan = None, None
    layer = loaded.layer if loaded else registry.build_model(task, family, family_options)
    if loaded is None and start is not None:
        skipped = load_weights(layer, read_checkpoint(Path(start)))
        if skipped:
            say(f"{len(skipped)} weights of {start} have another shape here and start afresh: {', '.join(skipped[:4])}")
    info = CheckpointInfo(
        paddleprune_version=__version__,
        task=task,
        family=family,
        options=family_options.model_dump(mode="json"),
        labels=tuple(training.labels),
        transforms=tuple(t.model_dump(mode="json") for t in evaluation.transforms),
        metric=dict(metric or {}),
        loss=dict(loss or {}),
        primary_metric=built_metric.primary,
        higher_is_better=built_metric.higher_is_better,
    )
    return fit(
        layer,
        loss=registry.build_loss(task, loss_config, family_options),
        metric=built_metric,
        train_dataset=training,
        eval_dataset=evaluation,
        settings=chosen,
        save_dir=Path(save_dir),
        info=info,
        plan=plan,
        resume=None if resume_checkpoint is None else Path(resume_checkpoint),
        device=device,
    )
