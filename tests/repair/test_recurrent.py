"""What lies before recurrent layers is scored and repaired: in evaluation mode Paddle gives those no gradients."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

import paddleprune


class Recurrent(nn.Layer):
    """A convolution over time, a recurrent layer that drops, frozen, and a linear layer."""

    def __init__(self, kind: type[nn.Layer]) -> None:
        super().__init__()
        self.conv = nn.Conv1D(3, 8, 3, padding=1)
        self.states = kind(8, 6, num_layers=2, dropout=0.5)
        self.head = nn.Linear(6, 4)
        for weight in self.states.parameters():
            weight.stop_gradient = True

    def forward(self, x):
        found, _ = self.states(nn.functional.relu(self.conv(x)).transpose([0, 2, 1]))
        return self.head(found[:, -1])


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.SimpleRNN])
def test_a_network_with_states_is_cut_by_samples_and_repaired(kind: type[nn.Layer]) -> None:
    paddle.seed(0)
    layer = Recurrent(kind)
    layer.train()
    samples = np.random.default_rng(0).normal(size=(32, 3, 10)).astype("float32")
    plan = paddleprune.plan(paddleprune.trace(layer, (1, 3, 10)), flops=0.5, calibration=samples)
    assert paddleprune.shrink(layer, plan, calibration=samples).passed
    assert layer.conv.weight.shape[0] < 8 or layer.states.hidden_size < 6
    assert layer.states.training
    assert layer.states.dropout == 0.5
    assert all(weight.stop_gradient for weight in layer.states.parameters())
