"""One training step, in full or mixed precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.interfaces import Batch, Loss
from paddleprune.measure.evaluation import flatten
from paddleprune.settings import AmpName
from paddleprune.training.average import Average
from paddleprune.training.loader import to_tensors
from paddleprune.training.mixing import Mixing
from paddleprune.training.optimizer import trainable
from paddleprune.training.ranks import ALONE, Ranks
from paddleprune.training.sparsity import Lasso
from paddleprune.training.teacher import Teacher

_TYPES: dict[AmpName, str] = {"bf16": "bfloat16", "fp16": "float16"}
"""What Paddle calls them."""


class TrainStep:
    """Forward, loss, backward, update; the learning rate schedule moves on by one.

    Mixed precision is Paddle's level O1: half the bits where it is safe, weights in float32. In float16 the loss is
    scaled, so that small gradients survive (Micikevicius et al., 2018); bfloat16 has the range of float32, and needs
    no scaling.
    """

    def __init__(
        self,
        layer: nn.Layer,
        loss: Loss,
        optimizer: Any,
        schedule: Any,
        amp: AmpName | None,
        average: Average | None = None,
        teacher: Teacher | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.layer, self.loss, self.optimizer, self.schedule = layer, loss, optimizer, schedule
        self.amp = amp
        self.scaler = paddle.amp.GradScaler(init_loss_scaling=2.0**15) if amp == "fp16" else None
        self.average, self.teacher, self.ranks = average, teacher, ranks
        self.lasso: Lasso | None = None
        self.mixing: Mixing | None = None

    def __call__(self, parts: Sequence[Batch]) -> float:
        """Train on the parts of a batch; the mean loss, over all ranks. If that isn't finite, nothing is updated."""
        value = 0.0
        for number, part in enumerate(parts):
            inputs, targets = to_tensors(part[0]), to_tensors(part[1])
            with paddle.amp.auto_cast(enable=self.amp is not None, dtype=_TYPES[self.amp or "fp16"], level="O1"):
                loss = self._loss(inputs, targets, number) / len(parts)
            value += float(loss)
            if not np.isfinite(value):
                break
            (loss if self.scaler is None else self.scaler.scale(loss)).backward()
        value = self.ranks.average(value, trainable(self.layer).values())
        if np.isfinite(value):
            self._update()
        else:
            self.optimizer.clear_grad()
        return value

    def _loss(self, inputs: Any, targets: Any, part: int) -> Any:
        loss = self.loss
        if self.mixing is not None:
            inputs, loss = self.mixing(inputs, loss, int(self.schedule.last_epoch), part)
        if self.teacher is None:
            return loss(flatten(self.layer(*inputs)), targets)
        with self.teacher.beside(self.layer) as seen:
            outputs = flatten(self.layer(*inputs))
        return loss(outputs, targets) + self.teacher.loss(inputs, outputs, seen)

    def _update(self) -> None:
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.optimizer.clear_grad()
        if self.lasso is not None:
            self.lasso(int(self.schedule.last_epoch))
        self.schedule.step()
        if self.average is not None:
            self.average.update()

    def scaler_state(self) -> dict[str, Any]:
        """The loss scaling's state as plain numbers."""
        state = self.scaler.state_dict() if self.scaler is not None else {}
        return {key: np.asarray(value).reshape(-1).tolist()[0] for key, value in state.items()}

    def restore_scaler(self, state: dict[str, Any]) -> None:
        """Put back what `scaler_state` gave."""
        if self.scaler is not None and state:
            self.scaler.load_state_dict({**state, "scale": np.array([state["scale"]], "float32")})
