"""Steps 1 and 3: train a model the normal way; or prune it with a table and a tolerance, and retrain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddle import nn

from paddleprune.api.data import Data, open_dataset
from paddleprune.api.loading import as_path, check_labels, graph_of_loaded, metric_of, open_model
from paddleprune.console import say
from paddleprune.engines import left_whole, open_engine
from paddleprune.errors import ConfigError
from paddleprune.files import write_json
from paddleprune.interfaces import Dataset, Scorer
from paddleprune.pruning import Plan, solve
from paddleprune.registry import Registry
from paddleprune.sensitivity import Prunable, Question, SensitivityTable, criterion_of, model_digest, unsure
from paddleprune.settings import TrainSettings, check_tolerance
from paddleprune.specs import FamilyOptions
from paddleprune.training import (
    CheckpointInfo,
    LoadedModel,
    TrainResult,
    fit,
    load_weights,
    prepare_save_dir,
    read_checkpoint,
    resume_folder,
    seed_everything,
    select_device,
)
from paddleprune.validation import validated

PROBE = 8
"""Images in the probe batch of a certificate, at most."""


@dataclass(frozen=True)
class _Wish:
    """How to prune; as the arguments of `train`."""

    eval_metric_loss: float
    round_to: int
    exclude: str | Sequence[str]
    criterion: Scorer | None


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
    round_to: int = 1,
    exclude: str | Sequence[str] = (),
    criterion: Scorer | None = None,
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
        sensitivities_file: the table that `analyze` measured of `pretrain_weights`; its engine prunes.
        eval_metric_loss: the tolerance: each group alone may lose this share of the metric, from 0 to below 1.
        round_to: channels of every pruned convolution stay a multiple of this, by keeping more: oneDNN, for
            one, works in blocks of 8 or 16.
        exclude: groups that pruning leaves whole, by name or by glob (`features.0.*`).
        criterion: the function that ranked the units of `sensitivities_file`, where it was one of your own.
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
    chosen = validated(TrainSettings, settings, "training", "setting")
    check_tolerance(eval_metric_loss, "eval_metric_loss")
    if (exclude or criterion) and sensitivities_file is None:
        raise ConfigError("exclude and criterion say how to prune; give the sensitivities_file to prune with")
    select_device(chosen.device)
    registry = Registry.discover()
    registry.task(task)
    weights = None if pretrain_weights is None else as_path(pretrain_weights, "pretrain_weights")
    start = resume_folder(as_path(resume_checkpoint, "resume_checkpoint")) if resume_checkpoint else weights
    family, given = _family(task, model, options, start)
    provisional = registry.options(task, family, given)  # the data says how many classes there are
    training = open_dataset(registry, task, train_dataset, "train", provisional)
    evaluation = open_dataset(registry, task, eval_dataset, "eval", provisional)
    check_labels(evaluation, training.labels, "the training data")
    chosen_options = registry.options(task, family, {**given, "num_classes": _classes(training, options)})
    built_metric = metric_of(registry, task, metric or {}, training.labels, chosen_options)
    built_loss = registry.build_loss(task, registry.loss_config(task, loss or {}), chosen_options, training)
    prepare_save_dir(Path(save_dir), resuming=resume_checkpoint is not None)
    seed_everything(chosen.seed, 0)
    plan: Plan | None
    if sensitivities_file is not None and resume_checkpoint is None:
        loaded = _to_prune(registry, pretrain_weights, chosen_options, evaluation)
        table_file = as_path(sensitivities_file, "sensitivities_file")
        wish = _Wish(eval_metric_loss, round_to, exclude, criterion)
        plan = _prune(registry, loaded, table_file, wish, evaluation)
        layer = loaded.layer
        write_json(Path(save_dir) / "plan.json", plan)
    else:
        layer, plan = _started(registry, task, family, chosen_options, start)
    info = CheckpointInfo(
        task=task,
        family=family,
        options=chosen_options.model_dump(mode="json"),
        labels=tuple(training.labels),
        transforms=tuple(t.model_dump(mode="json") for t in evaluation.transforms),
        metric=dict(metric or {}),
        loss=dict(loss or {}),
        primary_metric=built_metric.primary,
        higher_is_better=built_metric.higher_is_better,
    )
    return fit(
        layer,
        built_loss,
        built_metric,
        training,
        evaluation,
        chosen,
        Path(save_dir),
        info,
        plan,
        None if resume_checkpoint is None else Path(resume_checkpoint),
    )


def _family(
    task: str, model: str | None, options: Mapping[str, Any] | None, start: str | Path | None
) -> tuple[str, dict[str, Any]]:
    """The family and its options as the user gave them, or else as the starting checkpoint has them.

    Raises:
        ConfigError: neither says it, or they contradict each other.
    """
    if start is None:
        if model is None:
            raise ConfigError("say which model to train: model, a family's name (`paddleprune families` lists them)")
        return model, dict(options or {})
    info = read_checkpoint(Path(start)).info
    if info.task != task:
        raise ConfigError(f"{start} is a checkpoint of the task {info.task!r}, not of {task!r}")
    if model is not None and model != info.family:
        raise ConfigError(
            f"{start} is a {info.family}, not a {model}; leave model out, or start from another checkpoint"
        )
    return info.family, {**info.options, **(options or {})}


def _classes(training: Dataset, options: Mapping[str, Any] | None) -> int:
    """As many classes as the data has.

    Raises:
        ConfigError: the user asked for another number.
    """
    asked, found = (options or {}).get("num_classes"), len(training.labels)
    if asked not in (None, found):
        raise ConfigError(f"num_classes is {asked}, but the training data has {found} classes; leave num_classes out")
    return found


def _started(
    registry: Registry, task: str, family: str, options: FamilyOptions, start: str | Path | None
) -> tuple[nn.Layer, Plan | None]:
    """A fresh network, or one that starts from a checkpoint: pruned as that is, or with the weights that fit."""
    if start is None:
        return registry.build_model(task, family, options), None
    checkpoint = read_checkpoint(Path(start))
    if registry.options(task, family, checkpoint.info.options) == options:
        loaded = open_model(registry, start)
        return loaded.layer, loaded.plan
    layer = registry.build_model(task, family, options)
    skipped = load_weights(layer, checkpoint)
    if skipped:
        say(f"{len(skipped)} weights of {start} have another shape here and start afresh: {', '.join(skipped[:4])}")
    return layer, None


def _to_prune(
    registry: Registry, weights: str | Path | None, options: FamilyOptions, evaluation: Dataset
) -> LoadedModel:
    """The analyzed model.

    Raises:
        ConfigError: there are no weights to prune, or the user wants other options or classes than they have.
    """
    if weights is None:
        raise ConfigError("pruning starts from trained weights: give pretrain_weights, the model that was analyzed")
    loaded = open_model(registry, weights)
    check_labels(evaluation, loaded.info.labels, str(weights))
    if loaded.options != options:
        raise ConfigError(f"{weights} was trained with {loaded.options}, not with {options}; leave the options out")
    return loaded


def _prune(
    registry: Registry,
    loaded: LoadedModel,
    table_file: Path,
    wish: _Wish,
    evaluation: Dataset,
) -> Plan:
    """Shrink the analyzed network as its table and the tolerance say, with a certificate.

    Raises:
        TableError: the table belongs to another model.
        CertificateError: the shrunk network doesn't compute what the masked one does.
    """
    table = SensitivityTable.load(table_file)
    table.check_model(model_digest(loaded.layer), str(table_file))
    identity = table.identity
    ranking = criterion_of(identity.criterion, wish.criterion)
    engine = open_engine(identity.engine, loaded.layer, graph_of_loaded(registry, loaded), ranking)
    whole = left_whole(engine, wish.exclude)
    plan = solve(engine, table, wish.eval_metric_loss, wish.round_to, whole)
    groups = [group for group in engine.groups if group.name not in whole]
    _say_what_is_estimated(table, groups, wish.eval_metric_loss, table_file)
    samples = [evaluation[i] for i in range(min(PROBE, len(evaluation)))]
    plan = engine.prune(plan, evaluation.collate(samples)[0])
    before = loaded.plan.attributes if loaded.plan else {}
    plan = plan.model_copy(update={"attributes": {**before, **plan.attributes}})
    say(plan.summary())
    if plan.certificate is not None:
        say(f"certificate: {plan.certificate.describe()}")
    return plan


def _say_what_is_estimated(
    table: SensitivityTable, groups: Sequence[Prunable], eval_metric_loss: float, file: Path
) -> None:
    if table.identity.estimated is not None:
        say(f"{file} is an estimate: its losses are rises of the training loss, and so is eval_metric_loss")
        return
    estimated = unsure(table, groups, Question((eval_metric_loss,)))
    if estimated:
        say(
            f"{file} wasn't measured for eval_metric_loss {eval_metric_loss:g}: the shares of {len(estimated)} groups "
            f"are estimates; `paddleprune analyze --tolerance {eval_metric_loss:g}` with this file measures them"
        )
