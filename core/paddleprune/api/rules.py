"""What goes with what when a checkpoint is cut: one table, looked at before anything is opened.

What goes with what within the settings themselves is theirs to say: `paddleprune.settings`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from paddleprune.errors import ConfigError
from paddleprune.settings import PruneSettings


@dataclass(frozen=True)
class Request:
    """What is asked of a cut.

    Attributes:
        settings: the budget, and how to repair.
        table: is there a sensitivity table?
        chosen: is anything said of which units or groups go?
        repair: is what is left to be repaired?
        trains: does training follow? Then nothing need be cut.
        weights: are there trained weights to cut?
        rounds: how often it is cut and trained.
        epochs: of the training.
        timed: does training stop when a time is over?
        resumed: is it to go on from an epoch that was named?
        sparse: are units pulled towards zero?
        recipe: is it left to this project how to retrain?
    """

    settings: PruneSettings
    table: bool
    chosen: bool = False
    repair: bool = True
    trains: bool = False
    weights: bool = True
    rounds: int = 1
    epochs: int = 1
    timed: bool = False
    resumed: bool = False
    sparse: bool = False
    recipe: bool = False

    @property
    def cuts(self) -> bool:
        """Is anything to be cut?"""
        return self.table or bool(self.settings.given)

    @property
    def budgeted(self) -> bool:
        """Is there a budget of the whole model, not a tolerance of each group?"""
        return bool(self.settings.limits) or self.settings.max_loss is not None

    @property
    def counted(self) -> bool:
        """Is there a budget of FLOPs or parameters?"""
        return not {"flops", "params"}.isdisjoint(self.settings.limits)


class Rule(NamedTuple):
    """What a request may not be, and what is said of one that is."""

    broken: Callable[[Request], bool]
    says: str


RULES = (
    Rule(
        lambda asked: not asked.cuts and not asked.trains,
        "say what is wanted: max_loss, such as 0.02, flops or params, such as 0.5, or a table",
    ),
    Rule(
        lambda asked: asked.settings.eval_metric_loss is not None and not asked.table,
        "eval_metric_loss goes with a table: give sensitivities_file, or a max_loss instead",
    ),
    Rule(
        lambda asked: not asked.cuts and (asked.chosen or asked.settings.depth),
        "exclude, only, criterion and depth say how to prune; give a sensitivities_file or a budget",
    ),
    Rule(
        lambda asked: asked.settings.depth and not asked.repair,
        "depth chooses branches by what a repair gives back: leave depth out, or let it repair",
    ),
    Rule(
        lambda asked: asked.settings.depth and not asked.budgeted,
        "depth wants a budget, such as flops or max_loss; a tolerance of each group knows no branches",
    ),
    Rule(
        lambda asked: asked.cuts and not asked.weights,
        "pruning starts from trained weights: give pretrain_weights, the model that was analyzed",
    ),
    Rule(
        lambda asked: asked.recipe and not asked.weights,
        "a recipe retrains trained weights: give pretrain_weights, the model that was cut or is to be cut",
    ),
    Rule(
        lambda asked: asked.recipe and asked.resumed,
        "a recipe says how a run begins, resume_checkpoint how one goes on: leave one of them out",
    ),
    Rule(
        lambda asked: asked.rounds > 1 and asked.table,
        "a table fits the network that it was measured of, not the smaller ones between rounds: leave "
        "sensitivities_file out, or rounds=1",
    ),
    Rule(
        lambda asked: asked.rounds > 1 and not asked.counted,
        "rounds go towards a size, step by step: give flops or params, such as 0.3",
    ),
    Rule(
        lambda asked: asked.rounds > 1 and (asked.settings.max_loss is not None or asked.settings.timed),
        "the steps of rounds are FLOPs and parameters: leave max_loss and latency out, or rounds=1",
    ),
    Rule(
        lambda asked: asked.rounds > asked.epochs,
        "each of the rounds trains for an epoch at least: give more num_epochs, or fewer rounds",
    ),
    Rule(
        lambda asked: asked.rounds > 1 and asked.resumed,
        "rounds go on by themselves, when the same is asked for again: leave resume_checkpoint out",
    ),
    Rule(
        lambda asked: asked.rounds > 1 and asked.timed,
        "max_time ends one training, not several: leave it out; rounds that were stopped go on",
    ),
    Rule(
        lambda asked: asked.sparse and asked.cuts,
        "sparsity prepares a cut that comes afterwards: train with it first, then prune what that gave",
    ),
)
"""The first that is broken counts."""


def check(asked: Request) -> None:
    """Refuse what can't be done together.

    Raises:
        ConfigError: naming what doesn't go with what.
    """
    for rule in RULES:
        if rule.broken(asked):
            raise ConfigError(rule.says)
