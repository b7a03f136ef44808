"""Figures and rows that the report's tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from paddleprune.measure.latency import Latency
from paddleprune.pruning.outcome import JointLoss
from paddleprune.reports import Comparison, MetricValue, comparison_row, conditions


def _latency(off: float) -> dict[str, Latency]:
    return {
        mode: Latency(median_ms=ms, p10_ms=0.9 * ms, p90_ms=1.1 * ms, runs=50, threads=2)
        for mode, ms in (("onednn_on", off / 5), ("onednn_off", off))
    }


@pytest.fixture
def comparison() -> Comparison:
    """The original's table."""
    dense, pruned = _latency(57.1), _latency(36.0)
    rows = (
        comparison_row(
            "best_model",
            parameters=2_300_000,
            flops=314_000_000,
            file_bytes=8_740_000,
            latency=dense,
            metric=MetricValue(name="acc1", value=0.92),
        ),
        comparison_row(
            "prune|best_model",
            parameters=700_000,
            flops=144_000_000,
            file_bytes=2_800_000,
            latency=pruned,
            metric=MetricValue(name="acc1", value=0.99, error=0.012),
            joint=JointLoss(asked=0.02, cut=0.8, repaired=0.015, error=0.004, samples=100, tried=8),
        ),
    )
    return Comparison(conditions=conditions([dense, pruned]), rows=rows)
