"""Latency of real exported models, with oneDNN on and off."""

from __future__ import annotations

from pathlib import Path

import pytest
from paddle import nn

from paddleprune.errors import ConfigError
from paddleprune.measure.export import export_model
from paddleprune.measure.latency import MODES, measure_latency
from paddleprune.measure.machine import cpu_name


def _network(width: int) -> nn.Layer:
    return nn.Sequential(nn.Conv2D(3, width, 3), nn.ReLU(), nn.Conv2D(width, width, 3))


def test_both_models_in_both_modes(tmp_path: Path) -> None:
    models = {"thin": tmp_path / "thin", "wide": tmp_path / "wide"}
    export_model(_network(2), [(3, 32, 32)], models["thin"], batch=1)
    export_model(_network(64), [(3, 32, 32)], models["wide"], batch=1)
    found = measure_latency(models, threads=1, runs=20, seconds=0.02)
    assert {name: set(modes) for name, modes in found.items()} == {"thin": set(MODES), "wide": set(MODES)}
    for latency in (found[name][mode] for name in models for mode in MODES):
        assert 0 < latency.p10_ms <= latency.median_ms <= latency.p90_ms
        assert latency.runs >= 20
        assert latency.threads == 1
    assert found["thin"]["onednn_off"].median_ms < found["wide"]["onednn_off"].median_ms


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
