"""One training step, in full or mixed precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.interfaces import Batch, Loss
from paddleprune.measure.evaluation import flatten
from paddleprune.training.loader import to_tensors


class TrainStep:
    """Forward, loss, backward, update; the learning rate schedule moves on by one.

    Mixed precision is Paddle's level O1: float16 where it is safe, weights in float32, the loss scaled
    so that small gradients survive (Micikevicius et al., 2018).
    """

    def __init__(self, layer: nn.Layer, loss: Loss, optimizer: Any, schedule: Any, amp: bool) -> None:
        self.layer, self.loss, self.optimizer, self.schedule = layer, loss, optimizer, schedule
        self.scaler = paddle.amp.GradScaler(init_loss_scaling=2.0**15) if amp else None

    def __call__(self, batch: Batch) -> float:
        """Train on a batch; its loss. If that isn't finite, nothing is updated."""
        inputs, targets = to_tensors(batch[0]), to_tensors(batch[1])
        with paddle.amp.auto_cast(enable=self.scaler is not None, dtype="float16", level="O1"):
            loss = self.loss(flatten(self.layer(*inputs)), targets)
        value = float(loss)
        if np.isfinite(value):
            self._update(loss)
        return value

    def _update(self, loss: Any) -> None:
        if self.scaler is None:
            loss.backward()
            self.optimizer.step()
        else:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.optimizer.clear_grad()
        self.schedule.step()

    def scaler_state(self) -> dict[str, Any]:
        """The loss scaling's state as plain numbers."""
        state = self.scaler.state_dict() if self.scaler is not None else {}
        return {key: np.asarray(value).reshape(-1).tolist()[0] for key, value in state.items()}

    def restore_scaler(self, state: dict[str, Any]) -> None:
        """Put back what `scaler_state` gave."""
        if self.scaler is not None and state:
            self.scaler.load_state_dict({**state, "scale": np.array([state["scale"]], "float32")})
