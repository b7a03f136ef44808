"""One training: its network is cut and repaired first, if that is asked for, and in rounds, if several are."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from paddle import nn

from paddleprune.api.calibration import open_calibration
from paddleprune.api.data import Data
from paddleprune.api.loading import Evaluation, graph_of, graph_of_loaded
from paddleprune.api.origin import Origin, checkpoint_source
from paddleprune.api.pruning import Wish, check_reachable, cut_and_repair, open_analyzed, wished
from paddleprune.api.report import leave_report
from paddleprune.api.rounds import Step, last_round, steps_of
from paddleprune.api.teaching import open_teacher
from paddleprune.console import counted, say
from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Dataset, Loss
from paddleprune.locks import locked
from paddleprune.pruning import Plan
from paddleprune.registry import Registry
from paddleprune.settings import CostName
from paddleprune.solver import Costs
from paddleprune.specs import FamilyOptions
from paddleprune.training import (
    Asked,
    CheckpointInfo,
    LoadedModel,
    TrainResult,
    fit,
    go_on,
    read_checkpoint,
    seed_everything,
)
from paddleprune.training.places import round_folder, saved_rounds
from paddleprune.training.ranks import Ranks


@dataclass(frozen=True)
class Job:
    """What a training works with, opened and checked.

    Attributes:
        registry: knows the task.
        options: of the family.
        data: what the user gave to train and to evaluate with.
        training: the former, open.
        evaluation: the latter, and the metric.
        loss: what is minimised.
        teacher: a checkpoint to learn from, too.
        wish: how the network is cut first, but for the samples that this takes; None if it isn't.
        repair: whether what is left is repaired.
        info: what the checkpoints say.
        ranks: the processes that do it together; the first one cuts and writes.
    """

    registry: Registry
    options: FamilyOptions
    data: tuple[Data, Data]
    training: Dataset
    evaluation: Evaluation
    loss: Loss
    teacher: Path | None
    wish: Wish | None
    repair: bool
    info: CheckpointInfo
    ranks: Ranks

    def graph(self, layer: nn.Layer) -> ChannelGraph:
        """The channel graph of the family's network, cut as it is."""
        return graph_of(self.registry, layer, self.info.task, self.info.family, self.options)

    def dense(self, start: Path) -> tuple[LoadedModel, Wish]:
        """The model that is to be cut, and how, with the samples that this takes."""
        assert self.wish is not None
        self.training.set_epoch(0, 0)  # an earlier round has moved it on; samples are drawn from it as from a new one
        loaded = open_analyzed(self.registry, start, self.options, self.evaluation.dataset)
        samples = open_calibration(self.registry, loaded, None, *self.data) if self.repair else None
        return loaded, wished(self.registry, loaded, replace(self.wish, calibration=samples), *self.data)

    def towards(self, step: Step) -> Job:
        """The same with the limits of a round."""
        assert self.wish is not None
        settings = self.wish.settings.model_copy(update=step.budget)
        return replace(self, wish=replace(self.wish, settings=settings))


def run(job: Job, origin: Origin, asked: Asked, folder: Path, overwrite: bool = False) -> TrainResult:
    """Do a job, or go on with it, in its folder.

    Args:
        job: what is done.
        origin: where its network comes from.
        asked: what the folder will say of it.
        folder: gets all that `train` leaves.
        overwrite: whether an earlier run there is removed first.
    """
    registry, info, ranks = job.registry, job.info, job.ranks
    with locked(folder / ".lock", folder, "choose another save_dir") if ranks.first else nullcontext():
        found = ranks.once(lambda: str(go_on(folder, asked, origin.resumed, overwrite) or ""))
        last = Path(found) if found else None
        start, chosen = origin.start, last_round(asked.settings, asked.rounds or 1)
        if last is None and asked.rounds and start is not None:
            job, start = _earlier(job, start, asked, folder)
        seed_everything(chosen.seed, 0)
        plan: Plan | None = None
        if last is not None:
            layer = registry.build_model(info.task, info.family, job.options)  # the checkpoint makes it what it was
            plan = read_checkpoint(last).plan
        elif job.wish is not None and not ranks.first:
            layer = registry.build_model(info.task, info.family, job.options)  # the first rank cuts
        elif job.wish is not None and start is not None:
            loaded, wish = job.dense(start)
            layer = loaded.layer
            plan, _ = cut_and_repair(registry, loaded, job.evaluation, wish)
            plan.save(folder / "plan.json")
        else:
            layer, plan = origin.network(registry, info.task, info.family, job.options)
        plan = ranks.alike(layer, plan)
        taught = None if job.teacher is None else open_teacher(registry, job.teacher, plan, chosen)
        data = job.training, job.evaluation.dataset
        known = layer, job.loss, job.evaluation.metric, *data, chosen, folder, info, plan, last, taught
        result = fit(*known, graph_of=job.graph, ranks=ranks)
        if job.wish is not None and ranks.first:
            leave_report(folder)
        return result


def _earlier(job: Job, start: Path, asked: Asked, folder: Path) -> tuple[Job, Path]:
    """Do, or go on with, all rounds but the last: runs like any other, in folders of their own.

    Each starts from the best model of the one before: it is what that round gave, and after an early stop the last
    epoch is worse.

    Returns:
        What is left for the last round, and the checkpoint that it starts from.

    Raises:
        PlanError: the budget can't be had; nothing was trained.
    """
    assert asked.rounds is not None
    assert job.wish is not None
    dense = job.ranks.once(lambda: _dense_costs(job, start, folder))
    for step in steps_of(job.wish.settings, dense, asked.settings, asked.rounds):
        limits = ", ".join(f"{name} {limit / dense[name]:.3g}" for name, limit in step.limits.items())
        say(f"round {step.number} of {asked.rounds}: {limits}, {counted(step.settings.num_epochs, 'epoch')}")
        if step.number == asked.rounds:
            break
        own = {"rounds": None, "pretrain_weights": checkpoint_source(start), "settings": step.settings, **step.budget}
        mine = asked.model_copy(update=own)
        start = run(job.towards(step), Origin.of(start, None), mine, round_folder(folder, step.number)).best_model
    return job.towards(step), start


def _dense_costs(job: Job, start: Path, folder: Path) -> dict[CostName, float]:
    """What the dense network costs; before the first round it is also seen whether the budget can be had."""
    loaded, wish = job.dense(start)
    if not saved_rounds(folder):
        check_reachable(job.registry, loaded, job.evaluation, wish)
    return {name: float(cost) for name, cost in Costs(graph_of_loaded(job.registry, loaded)).dense.items()}
