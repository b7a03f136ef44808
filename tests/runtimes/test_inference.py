"""Paddle Inference with oneDNN: what it fails at is left out, and outputs are those of eager Paddle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
import pytest
from paddle import nn

from paddleprune.runtimes.inference import create_predictor


class Behind(nn.Layer):
    """A function behind a convolution."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.convolution, self.function = nn.Conv2D(3, 8, 3), function

    def forward(self, x: Any) -> Any:
        return self.function(self.convolution(x))


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: F.leaky_relu(x, 0.1), id="leaky_relu"),
        pytest.param(
            lambda x: F.leaky_relu(F.linear(x.flatten(1), paddle.ones([288, 4]) * 0.01, paddle.ones([4]))),
            id="leaky_sum",
        ),
        pytest.param(lambda x: F.pad(x, [0, 0, 0, 5, 0, 0, 0, 0]), id="pad_of_channels"),
        pytest.param(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), id="interpolate"),
        pytest.param(lambda x: F.relu(x), id="relu"),
    ],
)
def test_outputs_are_those_of_the_layer(function: Callable[[Any], Any], onednn: bool, tmp_path: Path) -> None:
    paddle.seed(0)
    layer = Behind(function)
    layer.eval()
    spec = [paddle.static.InputSpec([3, 3, 8, 8], "float32")]
    paddle.jit.save(paddle.jit.to_static(layer, input_spec=spec, full_graph=True), str(tmp_path / "model"))
    predictor = create_predictor(tmp_path / "model", onednn=onednn)
    images = np.random.default_rng(0).normal(size=(3, 3, 8, 8)).astype(np.float32)
    expected = layer(paddle.to_tensor(images)).numpy()
    for _ in range(5):  # memory that one run spoils may show in the next
        predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(images)
        predictor.run()
        np.testing.assert_allclose(
            predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu(), expected, atol=1e-5
        )
