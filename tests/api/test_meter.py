"""What a meter says is the same, compiled or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddleprune.api import meter as module
from paddleprune.api.loading import evaluation_of, open_model
from paddleprune.api.meter import Meter
from paddleprune.registry import Registry


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
