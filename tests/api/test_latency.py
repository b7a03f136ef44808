"""How long a model takes, in every runtime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from paddle import nn

import paddleprune
from paddleprune.errors import ConfigError, GraphError
from paddleprune.measure.cold import measure_cold
from paddleprune.runtimes.modes import MODES


def _layer() -> nn.Layer:
    return nn.Sequential(nn.Conv2D(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


def test_every_way_that_is_asked_for_is_timed_once() -> None:
    found = paddleprune.latency(_layer(), shapes=[(3, 8, 8)], runtime="onnxruntime", threads=(2, 1, 2), batch=(4,))
    assert [(row.latency.threads, row.batch) for row in found.rows] == [(2, 4), (1, 4)]
    assert len(list(found.fastest())) == 2


def test_all_runtimes_time_a_checkpoint(dense: Path) -> None:
    found = paddleprune.latency(dense, threads=(1,))
    assert {row.mode for row in found.rows} == {mode for mode, runtime in MODES.items() if runtime.installed}
    for row in found.rows:
        assert 0 < row.latency.p10_ms <= row.latency.median_ms <= row.latency.p90_ms
        assert row.start.load_ms > 0
        assert row.start.first_ms > 0
        assert row.start.memory_bytes is None or row.start.memory_bytes > 0
    (line,) = found.fastest()
    assert line.startswith("fastest with 1 thread, 1 sample a run: ")
    assert [len(cells) for cells in found.cells()] == [len(found.HEAD)] * len(found.rows)


def test_a_file_that_does_not_run_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"not": "a program"}))
    with pytest.raises(GraphError, match=r"^Paddle can't run model in a process of its own: [^\n]+$"):
        measure_cold(tmp_path / "model", "onednn_on", 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"threads": (0,)}, "threads is 0; give numbers of 1 and more"),
        ({"batch": (4, -1)}, "batch is -1"),
        ({"shapes": ()}, "a layer's inputs have no known shapes"),
        ({"runtime": "tensorrt"}, "unknown runtime 'tensorrt'"),
    ],
)
def test_what_cannot_be_timed(given, said) -> None:
    with pytest.raises(ConfigError, match=said):
        paddleprune.latency(_layer(), **{"shapes": [(3, 8, 8)], **given})
