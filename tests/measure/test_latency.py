"""Latency of real exported models, and what runs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.errors import ConfigError, DependencyError
from paddleprune.exports.inference_files import export_model
from paddleprune.machine.cpu import cpu_name
from paddleprune.measure.latency import measure_latency
from paddleprune.runtimes.modes import MODES, Mode, modes_of, write_for


def _network(width: int) -> nn.Layer:
    return nn.Sequential(nn.Conv2D(3, width, 3), nn.ReLU(), nn.Conv2D(width, width, 3))


def test_both_models_in_both_modes(tmp_path: Path) -> None:
    modes, models = modes_of(["paddle"]), {"thin": tmp_path / "thin", "wide": tmp_path / "wide"}
    write_for(modes, _network(2), [(3, 32, 32)], models["thin"])
    write_for(modes, _network(64), [(3, 32, 32)], models["wide"])
    found = measure_latency(models, threads=1, runs=20, seconds=0.02, modes=modes)
    assert {name: list(times) for name, times in found.items()} == {"thin": modes, "wide": modes}
    for latency in (found[name][mode] for name in models for mode in modes):
        assert 0 < latency.p10_ms <= latency.median_ms <= latency.p90_ms
        assert latency.runs >= 20
        assert latency.threads == 1
    assert all(found["thin"][mode].median_ms < found["wide"][mode].median_ms for mode in modes)


@pytest.mark.parametrize("mode", MODES)
def test_a_session_computes_what_the_layer_does(mode: Mode, tmp_path: Path) -> None:
    """Two inputs and two outputs; fed twice."""
    for module in MODES[mode].needs:
        pytest.importorskip(module)
    layer = _Reader()
    write_for([mode], layer, [(3, 8, 8), (5,)], tmp_path / "model")
    session = MODES[mode].load(tmp_path / "model", 1)
    assert dict(session.inputs) == {"input_0": (1, 3, 8, 8), "input_1": (1, 5)}
    for seed in (0, 1):
        image = np.random.default_rng(seed).standard_normal((1, 3, 8, 8), "float32")
        numbers = np.full((1, 5), seed, "float32")
        session.feed({"input_0": image, "input_1": numbers})
        session.run()
        wanted = layer(paddle.to_tensor(image), paddle.to_tensor(numbers))
        for got, want in zip(session.outputs(), wanted, strict=True):
            np.testing.assert_allclose(got, want.numpy(), atol=1e-5)


class _Reader(nn.Layer):
    """Two inputs, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.linear = nn.Conv2D(3, 4, 3), nn.Linear(5, 2)

    def forward(self, image: Any, numbers: Any) -> Any:
        return self.convolution(image), self.linear(numbers)


def test_runtimes_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert modes_of(["paddle"]) == ["onednn_on", "onednn_off"]
    with pytest.raises(ConfigError, match="unknown runtime 'openvno'; did you mean 'openvino'"):
        modes_of(["paddle", "openvno"])
    with pytest.raises(ConfigError, match="name at least one runtime: paddle, onnxruntime, openvino, all"):
        modes_of([])
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DependencyError, match=r"latency in OpenVINO needs .*pip install 'paddleprune\[openvino\]'"):
        modes_of(["openvino"])


def test_seconds_ask_for_more_runs(tmp_path: Path) -> None:
    export_model(_network(2), [(3, 8, 8)], tmp_path / "model", batch=1)
    found = measure_latency({"model": tmp_path / "model"}, threads=1, runs=10, seconds=0.1)
    assert all(latency.runs > 100 for latency in found["model"].values())


def test_an_export_of_any_batch_has_no_single_image(tmp_path: Path) -> None:
    export_model(_network(2), [(3, 8, 8)], tmp_path / "model")
    with pytest.raises(ConfigError, match="batch=1"):
        measure_latency({"model": tmp_path / "model"}, runs=10, seconds=0.01)


def test_the_cpu_has_a_name() -> None:
    assert cpu_name().strip()
