"""What a meter says is the same, compiled or not; and what is made of what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddleprune.api import meter as module
from paddleprune.api.budgets import least
from paddleprune.api.loading import evaluation_of, open_model
from paddleprune.api.meter import Meter
from paddleprune.registry import Registry
from paddleprune.sensitivity.measuring.scores import Score


@pytest.mark.parametrize("compiles", [True, False])
def test_a_loss_is_that_of_the_layer_as_it_stands(
    compiles: bool, data: Path, dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "compiling_pays", lambda *given: compiles)
    registry = Registry.discover()
    loaded = open_model(registry, dense)
    evaluation = evaluation_of(registry, loaded, str(data))
    meter = Meter(loaded.layer, evaluation.metric, evaluation.dataset, 5, "evaluate")
    assert meter.last == pytest.approx(loaded.info.metrics["acc1"])
    same = meter()
    assert (same.loss, same.error, same.samples) == (0, 0, 24)
    bias = loaded.layer.classifier[1].bias
    bias.set_value(bias + module.np.eye(len(bias), dtype="float32")[0] * 1e6)  # everything is the first class now
    counts = [evaluation.dataset[i][1] for i in range(24)].count(0)
    assert meter().metric == pytest.approx(counts / 24)


@pytest.mark.parametrize(
    ("losses", "taken"),
    [
        ([(0.016, 0.014), (0.081, 0.017)], 0),
        ([(0.022, 0.011), (0.030, 0.010)], 1),
        ([(0.030, 0.010), (0.022, 0.011)], 1),
        ([(0.05, 0.001), (0.01, 0.001), (0.03, 0.001)], 1),
        ([(0.029, None), (0.030, None)], 0),
    ],
)
def test_another_plan_than_the_samples_own_is_taken_only_where_it_is_clearly_better(losses, taken):
    assert least([Score(1 - loss, loss, error) for loss, error in losses]) == taken
