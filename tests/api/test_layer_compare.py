"""Layers of any kind side by side."""

from __future__ import annotations

import copy

import paddle
import pytest
from paddle import nn

import paddleprune
from paddleprune.errors import ConfigError


def test_a_dense_layer_beside_a_pruned_one() -> None:
    dense = nn.Sequential(nn.Conv2D(3, 8, 3), nn.ReLU(), nn.Conv2D(8, 4, 3), nn.Flatten(), nn.Linear(64, 2))
    pruned = copy.deepcopy(dense)
    plan = paddleprune.plan(paddleprune.trace(pruned, (1, 3, 8, 8)), 0.5)
    paddleprune.shrink(pruned, plan)
    pruned.train()
    before = pruned.state_dict()["0.weight"].numpy()
    images = paddle.randn([4, 3, 8, 8])
    found = paddleprune.compare_layers(
        {"dense": dense, "pruned": pruned},
        shapes=[(3, 8, 8)],
        evaluate=lambda layer: float(layer(images).abs().mean()),
        metric="size",
        threads=1,
    )
    first, second = found.rows
    assert (first.name, second.name) == ("dense", "pruned")
    assert (second.parameters, second.flops) == (plan.plan.after.parameters, plan.plan.after.flops)
    assert first.file_bytes == 4 * first.parameters
    assert second.metric.value == pytest.approx(float(pruned(images).abs().mean()))
    assert found.markdown().splitlines()[0].endswith("| size |")
    assert pruned.training
    assert (pruned.state_dict()["0.weight"].numpy() == before).all()
    unmeasured = paddleprune.compare_layers({"pruned": pruned}, shapes=[(3, 8, 8)], threads=1)
    assert unmeasured.rows[0].metric is None
    assert unmeasured.markdown().splitlines()[0].endswith("oneDNN off |")


@pytest.mark.parametrize("layers", [{}, {"dense": "output/best_model"}])
def test_what_is_no_layer(layers) -> None:
    with pytest.raises(ConfigError, match="layers must be names and layers"):
        paddleprune.compare_layers(layers, shapes=[(3, 8, 8)])
