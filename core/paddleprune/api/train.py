"""Steps 1 and 3: train a model the normal way; or prune it with a table and a tolerance, and retrain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from paddleprune.api.data import Data, open_dataset
from paddleprune.api.inherit import inherited, say_other_transforms
from paddleprune.api.job import Job, run
from paddleprune.api.loading import Evaluation, as_path, check_labels, options_for
from paddleprune.api.origin import Origin, checkpoint_source
from paddleprune.api.pruning import Wish
from paddleprune.api.recipe import retraining
from paddleprune.api.rules import Request, check
from paddleprune.api.teaching import check_teacher
from paddleprune.console import say
from paddleprune.errors import ConfigError
from paddleprune.files import user_path
from paddleprune.interfaces import Scorer
from paddleprune.registry import Registry
from paddleprune.sensitivity import SensitivityTable, criterion_name
from paddleprune.settings import (
    ADAPTIVE_RATE,
    REPAIRED_RATE,
    USUAL_TOLERANCE,
    Budget,
    RecipeName,
    RetrainSettings,
    TimingSettings,
    TrainSettings,
)
from paddleprune.specs import Contract
from paddleprune.training import (
    Asked,
    CheckpointInfo,
    Source,
    TrainResult,
    select_device,
)
from paddleprune.training.device import check_amp
from paddleprune.training.ranks import check_ranks, join
from paddleprune.validation import SETTING, validated

_RIDGE = 0.1
"""How strongly a repair keeps to the cut weights where training follows."""


def train(
    task: str,
    *,
    train_dataset: Data,
    eval_dataset: Data,
    save_dir: str | Path,
    model: str | None = None,
    options: Mapping[str, Any] | None = None,
    pretrain_weights: str | Path | None = None,
    teacher: str | Path | None = None,
    sensitivities_file: str | Path | None = None,
    round_to: int = 1,
    depth: bool = False,
    rounds: int = 1,
    recipe: RecipeName | None = None,
    exclude: str | Sequence[str] = (),
    only: str | Sequence[str] = (),
    criterion: str | Scorer | None = None,
    repair: bool = True,
    resume_checkpoint: str | Path | None = None,
    overwrite: bool = False,
    loss: Mapping[str, Any] | None = None,
    metric: Mapping[str, Any] | None = None,
    **settings: Any,
) -> TrainResult:
    """Train a model; with a table or a budget, prune it first.

    The same call can be made again until the run is finished: it goes on after the last epoch that was saved, exactly,
    and a finished run is left as it is. Another call with the same `save_dir` is refused.

    Args:
        task: a task's name, such as "classification".
        train_dataset: a folder in the task's layout, the fields of its dataset config, or a Dataset.
        eval_dataset: the same, for the evaluation after each epoch.
        save_dir: gets `best_model/`, `epoch_N/`, `run.json` (what was asked for) and, after pruning, `plan.json` and
            `report.html`.
        model: a family's name; may be left out where `pretrain_weights` or `resume_checkpoint` says it.
        options: the family's options; `num_classes` comes from the data.
        pretrain_weights: a checkpoint folder to start from; or "IMAGENET", the weights that the family's makers
            published, downloaded once, with classes of your own.
        teacher: a checkpoint of the same task and classes, to learn from beside the labels (knowledge distillation):
            its outputs, and, where the model was cut from it, what its layers give. `distill` and `distill_layers`
            say what they count.
        sensitivities_file: the table that `analyze` measured of `pretrain_weights`; its engine prunes.
        round_to: channels of every pruned convolution stay a multiple of this, by keeping more: oneDNN, for
            one, works in blocks of 8 or 16.
        depth: whole residual branches may go, too, within a budget: a block becomes its shortcut.
        rounds: with `flops` or `params`: cut, repair and retrain so many times, a step further each time. Round k of K
            leaves share ** (k / K) of the cost, and trains for a Kth of `num_epochs`, the last one for the rest. Each
            starts from the best model of the one before and scores its units anew; the earlier ones are runs of their
            own in `round_1`, `round_2` …, and learning rates, warm-up and early stop are each round's.
        recipe: how to retrain what was cut, as far as the other arguments don't say: "fast" or "best". Both train as
            the run did that `pretrain_weights` is from, with a learning rate that falls by a cosine from half of its
            rate: "fast" for a fifth of its epochs, "best" for as many.
        exclude: groups that pruning leaves whole, by name, by glob (`features.0.*`) or by the type of the layers that
            make them (`type:Linear`).
        only: likewise, the groups that may be pruned, if not all.
        criterion: without a table, which units go first, as `prune` says ("obs" if unset); or a function of your own,
            which ranks the units, or ranked those of `sensitivities_file`.
        repair: whether the cut network is repaired before training goes on from it; then a learning rate that isn't
            given is half of the usual one, since more would undo the repair.
        resume_checkpoint: an `epoch_N` folder of an earlier run, to continue exactly: in another `save_dir`, after
            another epoch than the last, or for more epochs.
        overwrite: remove an earlier run in `save_dir`, and start again.
        loss: options of the task's loss; those that aren't given are the starting checkpoint's.
        metric: options of the task's metric; likewise.
        **settings: any field of `TrainSettings`: num_epochs, train_batch_size, learning_rate,
            lr_decay_epochs, save_interval_epochs, log_interval_steps, early_stop, use_vdl, ...; and of the budget:
            flops, params, latency, max_loss, save, runtime, threads, onednn, as `prune` takes them, or
            eval_metric_loss: with a table, what each group alone may lose of the metric, 0.05 if there is no other
            budget.

    Raises:
        ConfigError: an argument can't be used, or two of them contradict each other.
        DataError, CheckpointError, TableError: what was given can't be used. All data for evaluation is read, and one
            batch evaluated, before the first epoch.
        CertificateError: the shrunk model doesn't compute what the masked one does.
        WorkerError: another of several ranks has ended.
    """
    order, scorer = (criterion, None) if isinstance(criterion, str) else (None, criterion)
    budget = {name: settings.pop(name) for name in Budget.model_fields if name in settings}
    by_recipe, line = retraining(recipe, pretrain_weights, repair)
    settings = {**by_recipe, **settings}
    settings["ranks"] = check_ranks(settings.get("ranks"))
    chosen = validated(TrainSettings, settings, "training", SETTING)
    how = _how(chosen, sensitivities_file, {**budget, "criterion": order}, round_to, depth, rounds, recipe)
    request = Request(
        how,
        table=sensitivities_file is not None,
        chosen=bool(exclude or only or criterion),
        repair=repair,
        trains=True,
        weights=not (pretrain_weights is None and resume_checkpoint is None),
        rounds=how.rounds,
        epochs=chosen.num_epochs,
        timed=chosen.max_time is not None,
        resumed=resume_checkpoint is not None,
        sparse=chosen.sparsity > 0,
        recipe=recipe is not None,
    )
    check(request)
    if teacher is None and settings.keys() & {"distill", "distill_layers"}:
        raise ConfigError("distill and distill_layers say what a teacher counts: give teacher, too")
    prunes = request.cuts
    if "learning_rate" not in settings:
        usual = chosen.learning_rate if chosen.optimizer == "momentum" else ADAPTIVE_RATE
        chosen = chosen.model_copy(update={"learning_rate": usual * (REPAIRED_RATE if prunes and repair else 1)})
    device = select_device(chosen.device)
    check_amp(chosen.amp, device)
    ranks = join(device, chosen.sync_norms)
    if line:
        say(line)
    registry, folder = Registry.discover(), user_path(save_dir)
    registry.task(task)
    table = None if sensitivities_file is None else as_path(sensitivities_file, "sensitivities_file")
    if table is not None and resume_checkpoint is None:
        SensitivityTable.load(table)  # is it one?
    teaching = None if teacher is None else as_path(teacher, "teacher")
    origin = Origin.of(pretrain_weights, resume_checkpoint)
    if origin.published and prunes:
        raise ConfigError(f"{pretrain_weights} weights know other classes: train with them first, then prune that")
    before = origin.info
    family, given = origin.family(task, model, options)
    provisional = registry.options(task, family, given)  # the data says how many classes there are
    training = open_dataset(registry, task, train_dataset, "train", provisional)
    if before is not None and set(before.labels) == set(training.labels):
        training.number_by(before.labels, str(origin.start))
    evaluation = open_dataset(registry, task, eval_dataset, "eval", provisional)
    check_labels(evaluation, training.labels, "the training data")
    asked_classes = (options or {}).get("num_classes")
    chosen_options = options_for(registry, task, family, {**given, "num_classes": asked_classes}, training.labels)
    if teaching is not None:
        check_teacher(teaching, task, training.labels)
    origin = ranks.after_first(partial(origin.fetched, registry, task, family, chosen_options))
    losses, metrics = inherited(before, "loss", loss), inherited(before, "metric", metric)
    loss_config, metric_config = registry.loss_config(task, losses), registry.metric_config(task, metrics)
    built_loss = registry.build_loss(task, loss_config, chosen_options, training)
    built_metric = registry.build_metric(task, metric_config, training.labels, chosen_options)
    asked = Asked(
        task=task,
        family=family,
        options=chosen_options.model_dump(mode="json"),
        loss=loss_config.model_dump(mode="json"),
        metric=metric_config.model_dump(mode="json"),
        training_samples=len(training),
        evaluation_samples=len(evaluation),
        labels=tuple(training.labels),
        train_transforms=_steps(training.transforms),
        eval_transforms=_steps(evaluation.transforms),
        pretrain_weights=origin.source,
        teacher=None if teaching is None else checkpoint_source(teaching),
        sensitivities_file=None if table is None else Source.of(table, table),
        **({} if not prunes else _pruning(how, repair, exclude, only, criterion)),
        resumed=origin.resumed_from(folder),
        settings=chosen,
    )
    say_other_transforms(before, asked.eval_transforms)
    info = CheckpointInfo(
        task=task,
        family=family,
        options=asked.options,
        labels=asked.labels,
        transforms=asked.eval_transforms,
        metric=metrics,
        loss=losses,
        primary_metric=built_metric.primary,
        higher_is_better=built_metric.higher_is_better,
    )
    job = Job(
        registry=registry,
        options=chosen_options,
        data=(train_dataset, eval_dataset),
        training=training,
        evaluation=Evaluation(evaluation, built_metric),
        loss=built_loss,
        teacher=teaching,
        wish=Wish(how, table, exclude, only, scorer, heads=False) if prunes else None,
        repair=repair,
        info=info,
        ranks=ranks,
    )
    result = run(job, origin, asked, folder, overwrite)
    ranks.leave()
    return result


def _how(
    training: TrainSettings,
    table: str | Path | None,
    budget: Mapping[str, Any],
    round_to: int,
    depth: bool,
    rounds: int,
    recipe: RecipeName | None,
) -> RetrainSettings:
    """How to prune; a table without a budget is cut at the usual tolerance."""
    said = {name: value for name, value in budget.items() if value is not None}
    if table is not None and not said.keys() - TimingSettings.model_fields.keys() - {"save", "criterion"}:
        said["eval_metric_loss"] = USUAL_TOLERANCE
    more = {
        "ridge": _RIDGE,
        "batch_size": training.eval_batch_size,
        "round_to": round_to,
        "depth": depth,
        "rounds": rounds,
        "recipe": recipe,
    }
    return validated(RetrainSettings, {**said, **more}, "prune", SETTING)


def _pruning(
    how: RetrainSettings,
    repair: bool,
    exclude: str | Sequence[str],
    only: str | Sequence[str],
    criterion: str | Scorer | None,
) -> dict[str, Any]:
    """What a run's file says of how it prunes."""
    return {
        **{name: getattr(how, name) for name in (*Budget.model_fields, "round_to", "depth")},
        "repair": repair,
        "exclude": (exclude,) if isinstance(exclude, str) else tuple(exclude),
        "only": (only,) if isinstance(only, str) else tuple(only),
        "criterion": criterion_name(criterion) if callable(criterion) else criterion,
        "rounds": how.rounds if how.rounds > 1 else None,
    }


def _steps(transforms: Sequence[Contract]) -> tuple[dict[str, Any], ...]:
    return tuple(step.model_dump(mode="json") for step in transforms)
