"""Where training stands: everything beside the weights that going on needs."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from paddleprune.settings import TrainSettings
from paddleprune.signed import Signed
from paddleprune.specs import Contract


class EpochRecord(Contract):
    """One epoch of training.

    Attributes:
        epoch: counts from 1.
        loss: mean over the epoch's steps.
        learning_rate: of the epoch's last step.
        seconds: that the epoch took, without evaluation.
        metrics: what evaluation gave after it; empty if there was none.
    """

    model_config = ConfigDict(ser_json_inf_nan="strings")

    epoch: int
    loss: float
    learning_rate: float
    seconds: float
    metrics: dict[str, float] = Field(default_factory=dict)


class Best(Contract):
    """The best evaluation so far, and how many have passed since."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    epoch: int
    value: float
    since: int = 0

    def or_later(self, later: Best, higher_is_better: bool) -> Best:
        """The better of the two. A tie keeps the earlier; NaN never beats a number."""
        better = later.value > self.value if higher_is_better else later.value < self.value
        if better or (math.isnan(self.value) and not math.isnan(later.value)):
            return later
        return self.model_copy(update={"since": self.since + 1})


class TrainState(Signed):
    """What `training.json` holds.

    Attributes:
        epoch: completed epochs.
        samples: size of the training dataset.
        schedule: state of the learning rate schedule.
        scaler: state of the loss scaling of mixed precision; empty without it.
        averaged: steps that the weights are averaged over; 0 where they aren't.
        optimizer_sha256: of optimizer.safetensors.
        weights_sha256: of the weights beside it.
    """

    signed_since: ClassVar[int] = 2
    way_out: ClassVar[str] = "go on from an earlier epoch_N, or copy this one again"

    schema_version: int = 2
    epoch: int
    samples: int
    settings: TrainSettings
    best: Best
    history: tuple[EpochRecord, ...]
    schedule: dict[str, float]
    scaler: dict[str, Any] = Field(default_factory=dict)
    averaged: int = 0
    optimizer_sha256: str = ""
    weights_sha256: str = ""

    def differences(self, settings: TrainSettings, samples: int) -> list[str]:
        """What about a resumed run would make it another run than the one saved: `name=now (was then)`."""
        now = {**settings.model_dump(), "training samples": samples}
        then = {**self.settings.model_dump(), "training samples": self.samples}
        if settings.lr_schedule == "piecewise" and not settings.sparsity:
            now.pop("num_epochs")
        return [f"{k}={v} (was {then[k]})" for k, v in now.items() if k not in _HARMLESS and v != then[k]]


_HARMLESS = frozenset(
    {
        "eval_batch_size",
        "save_interval_epochs",
        "log_interval_steps",
        "early_stop",
        "early_stop_patience",
        "use_vdl",
        "device",
        "num_workers",
        "max_time",
    }
)
"""Settings that don't change the weights of an epoch."""
