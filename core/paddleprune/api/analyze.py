"""Step 2: how much does the metric drop, for every group and every ratio?"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from paddleprune.amounts import shard_of
from paddleprune.api.data import Data
from paddleprune.api.loading import as_path
from paddleprune.api.measuring import Job, Taylor
from paddleprune.api.scoring import named_function
from paddleprune.console import say
from paddleprune.engines import left_whole
from paddleprune.errors import ConfigError
from paddleprune.files import user_path
from paddleprune.interfaces import Scorer
from paddleprune.measure.drawn import LARGE
from paddleprune.measure.evaluation import free_memory
from paddleprune.sensitivity import (
    Identity,
    Importance,
    Measurer,
    Processes,
    Question,
    RayActors,
    SensitivityTable,
    WorkerMeasurer,
    criterion_name,
    left_out,
    model_digest,
    sweep,
)
from paddleprune.sensitivity.measuring.executor import Executor
from paddleprune.sensitivity.measuring.kept import Kept, writing_table
from paddleprune.sensitivity.measuring.sweep import checked_ratios
from paddleprune.settings import RATIOS, AnalyzeSettings, Criterion, EngineName, Estimate, ExecutorName
from paddleprune.training import read_info
from paddleprune.validation import SETTING, validated


def analyze(
    checkpoint: str | Path,
    *,
    eval_dataset: Data,
    save_file: str | Path,
    train_dataset: Data | None = None,
    criterion: Criterion | str | Scorer = "l1",
    engine: EngineName = "native",
    ratios: Sequence[float] = RATIOS,
    exclude: str | Sequence[str] = (),
    tolerance: Sequence[float] = (),
    until_loss: float | None = None,
    time_budget: float | str | None = None,
    samples: int | None = None,
    estimate: Estimate | None = None,
    workers: int = 1,
    executor: ExecutorName = "processes",
    address: str | None = None,
    shard: str | None = None,
    memory: int | None = None,
    batch_size: int = 64,
    device: str = "auto",
) -> SensitivityTable:
    """Measure the sensitivity table of a trained model.

    The file is replaced whole after every few groups, and what is being measured is kept beside it every few seconds
    and when the call is interrupted: stopped at any moment, the same call continues it. Another `tolerance`,
    `until_loss` or `time_budget` with the same file adds to what is there. One call at a time may write a file.

    Args:
        checkpoint: a checkpoint folder, as training leaves it (`output/mobilenetv2/best_model`).
        eval_dataset: the data to measure on: a folder in the task's layout, the fields of its dataset
            config, or a Dataset.
        save_file: where the table goes, or is.
        train_dataset: what the criteria "taylor" and "obd" draw labelled samples from, preprocessed as for evaluation;
            by default the training split of `eval_dataset`, if that is a folder.
        criterion: which units of a group go first: "l1", "l2", "fpgm", "bn_scale", "lamp", "taylor" or "obd"; or a
            function of your own, as `paddleprune.interfaces.Scorer` says, or its place, "package.module:function".
        engine: what finds the groups and removes their units: "native", or "paddleslim", which must be
            installed, finds fewer groups, and measures them without compiling the network.
        ratios: shares of a group's units to remove, each between 0 and 1.
        exclude: groups to leave out, by name, by glob (`features.0.*`) or by the type of the layers that make them
            (`type:Linear`).
        tolerance: metric losses below 1 that plans will be made for. Only the entries that decide about them are
            measured on all samples; the plans are those of the whole table, the other entries are estimates.
        until_loss: the same for every tolerance up to this one.
        time_budget: seconds, or words such as "10m", to measure for: first every group, then those whose plan is
            least certain.
        samples: how many to measure on, drawn at random, always the same ones. By default all; of more than 5000, if
            `tolerance`, `until_loss` or `time_budget` is given, 5000, or as many as the table has that is there.
        estimate: "taylor": don't measure, but estimate how much the training loss would rise, from one backward pass.
            Such losses rank groups; they are no shares of the metric.
        workers: processes that measure at once; they share the CPU's threads, and `memory`.
        executor: where they are: "processes" on this machine, or actors of a "ray" cluster, each on one thread. Its
            nodes share the folder that this process works in, the checkpoint and the data; an open dataset is sent to
            them. The table is that of one process on one thread, however many actors there are.
        address: of the Ray cluster, such as "auto"; None for one on this machine alone.
        shard: "2/8" measures the second of eight parts of the groups: the others are measured elsewhere, each into a
            file of its own, and `merge` joins the files.
        memory: bytes of decoded samples to keep; by default a quarter of what is free.
        batch_size: samples a forward pass, at most; changes the speed, not the result.
        device: "auto", "cpu", "gpu" or "gpu:N".

    Raises:
        CheckpointError, DataError, ConfigError: what was given can't be used.
        TableError: the file holds a table of something else, or the baseline metric is 0.
        DependencyError: PaddleSlim or Ray isn't installed.
        GraphError: PaddleSlim can't prune this network.
        WorkerError: a process died twice at the same groups; the others are in the table.
    """
    values = {
        "ratios": ratios,
        "tolerance": tolerance,
        "until_loss": until_loss,
        "time_budget": time_budget,
        "samples": samples,
        "workers": workers,
        "executor": executor,
        "address": address,
        "shard": shard,
    }
    if isinstance(criterion, str):
        values["criterion"] = criterion
    chosen = validated(AnalyzeSettings, {**values, "estimate": estimate}, "analyze", SETTING)
    ranking = named_function(criterion) or criterion
    if estimate is not None and engine != "native":
        raise ConfigError(f'estimate="taylor" follows the native graph; leave `engine` out (got {engine!r})')
    question, where, shares = (
        Question(chosen.tolerance, chosen.until_loss),
        user_path(save_file),
        checked_ratios(ratios),
    )
    read_info(as_path(checkpoint))  # is it one?
    elsewhere = _executor(chosen)
    if executor == "ray":
        device = _cpu(device)
    kept = (free_memory() // 4 if memory is None else memory) // workers
    with writing_table(where), nullcontext() if elsewhere is None else elsewhere.open(Job.__module__):
        begun = SensitivityTable.load(where) if where.is_file() else None
        adaptive = time_budget is not None or not question.everything
        job = Job(
            checkpoint,
            eval_dataset,
            train_dataset,
            _scored(begun, criterion) or ranking,
            samples if samples is not None else _usual_samples(begun, adaptive),
            engine,
            batch_size,
            kept,
            device,
            question,
            chosen.time_budget,
        )
        opened = job.open()
        opened.tried()
        identity = Identity(
            model=model_digest(opened.loaded.layer),
            data=opened.batches.digest(),
            samples=len(opened.batches.dataset),
            metric=opened.metric.primary,
            higher_is_better=opened.metric.higher_is_better,
            criterion=criterion_name(opened.criterion),
            engine=engine,
            estimated=estimate,
        )
        whole = left_whole(opened.engine, opened.loaded.layer, exclude)
        everything = [group for group in opened.engine.groups if group.name not in whole]
        number, count = (1, 1) if chosen.shard is None else shard_of(chosen.shard)
        groups = everything[number - 1 :: count]
        job = replace(job, kept=Kept.beside(where, identity), criterion=opened.criterion, training=None)
        scores = opened.criterion.scores if isinstance(opened.criterion, Importance) else None
        measurer: Measurer
        if estimate is not None:
            measurer = Taylor(opened)
        elif elsewhere is None:
            measurer = job.measurer_of(opened)
        else:
            if executor == "ray":
                job = replace(job, kept=None)  # what other machines keep isn't beside the table
            _check_picklable(job)
            dense = opened.measurer(question, chosen.time_budget)
            measurer = WorkerMeasurer(elsewhere, job.measurer, dense, together=time_budget is not None)
        table = sweep(
            groups,
            measurer,
            identity,
            ratios=shares,
            question=question,
            save_file=where,
            ranked_by=scores,
            listed=[group.name for group in everything],
        )
    note = None if estimate else left_out(table, groups, shares, question)
    if note:
        say(note)
    return table


def _executor(chosen: AnalyzeSettings) -> Executor | None:
    """Where workers are; None where this process measures.

    Raises:
        DependencyError: Ray isn't installed.
    """
    if chosen.executor == "ray":
        return RayActors(chosen.workers, chosen.address)
    return Processes(chosen.workers) if chosen.workers > 1 else None


def _cpu(device: str) -> str:
    """The device of a cluster's actors, and of what goes with them.

    Raises:
        ConfigError: another one was asked for.
    """
    if device not in ("auto", "cpu"):
        raise ConfigError(f'executor="ray" measures on CPUs; leave `device` out (got {device!r})')
    return "cpu"


def _usual_samples(begun: SensitivityTable | None, adaptive: bool) -> int | None:
    """How many samples are drawn if nobody says: a large table goes on with as many as it has."""
    if begun is not None and begun.identity.samples >= LARGE:
        return begun.identity.samples
    return LARGE if adaptive else None


def _scored(table: SensitivityTable | None, criterion: Any) -> Importance | None:
    """The units' scores by this criterion, where a table holds them that is to be continued."""
    if table is None or table.scores is None or table.criterion != criterion:
        return None
    return Importance(table.criterion, table.scores)


def _check_picklable(job: Job) -> None:
    try:
        pickle.dumps(job)
    except Exception as error:
        raise ConfigError(
            f"eval_dataset or criterion can't be handed to other processes ({error}); use workers=1, or a module's own"
        ) from error
