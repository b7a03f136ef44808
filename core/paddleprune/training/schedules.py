"""The learning rate of every step, as a pure function of the settings and the step.

Epochs in `lr_decay_epochs` count from the start of training, warm-up included, as they read.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any

from paddle.optimizer.lr import LambdaDecay

from paddleprune.errors import ConfigError
from paddleprune.settings import TrainSettings


def learning_rate_at(settings: TrainSettings, steps_per_epoch: int, step: int) -> float:
    """The learning rate of a step.

    Args:
        settings: the schedule's parameters.
        steps_per_epoch: training steps in an epoch.
        step: counts from 0, over all epochs.
    """
    if step < settings.warmup_steps:
        rise = settings.learning_rate - settings.warmup_start_lr
        return settings.warmup_start_lr + rise * step / settings.warmup_steps
    if settings.lr_schedule == "cosine":
        return _cosine(settings, settings.num_epochs * steps_per_epoch, step)
    falls = bisect_right(settings.lr_decay_epochs, step // steps_per_epoch)
    return settings.learning_rate * settings.lr_decay_gamma**falls


def _cosine(settings: TrainSettings, total: int, step: int) -> float:
    """Half a cosine from the end of warm-up down to 0 after the last step (Loshchilov & Hutter, 2017)."""
    done = (step - settings.warmup_steps) / max(total - settings.warmup_steps, 1)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def build_schedule(settings: TrainSettings, steps_per_epoch: int) -> Any:
    """A `paddle.optimizer.lr.LRScheduler` to step once an iteration.

    Raises:
        ConfigError: the warm-up leaves no step at the full learning rate.
    """
    total = settings.num_epochs * steps_per_epoch
    if settings.warmup_steps >= total:
        raise ConfigError(
            f"warmup_steps is {settings.warmup_steps}, but {settings.num_epochs} epochs of {steps_per_epoch} steps "
            f"are only {total}; give fewer warmup_steps or more num_epochs"
        )
    return LambdaDecay(1.0, lambda step: learning_rate_at(settings, steps_per_epoch, step))
