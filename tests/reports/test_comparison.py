"""Models side by side, for programs, for readers and in the terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import paddle
import pytest
from pydantic import ValidationError
from rich.console import Console

from paddleprune.errors import SaveError
from paddleprune.graph import FLOP
from paddleprune.machine.cpu import cpu_name
from paddleprune.reports import Comparison, ComparisonRow, MetricValue
from paddleprune.reports import format as text


def test_json_is_a_list_of_rows(comparison: Comparison, tmp_path: Path) -> None:
    files = comparison.save(tmp_path / "new")
    assert [file.name for file in files] == ["comparison.json", "comparison.md"]
    dense, pruned = json.loads(files[0].read_text())
    assert dense == {
        "name": "best_model",
        "parameters": 2_300_000,
        "flops": 314_000_000,
        "file_bytes": 8_740_000,
        "latency_ms": {"onednn_on": 11.42, "onednn_off": 57.1},
        "latency_spread_ms": {"onednn_on": [10.278, 12.562], "onednn_off": [51.39, 62.81]},
        "metric": {"name": "acc1", "value": 0.92, "error": None},
        "joint": None,
    }
    assert ComparisonRow.model_validate(pruned) == comparison.rows[1]


def test_markdown_has_the_table_and_the_conditions(comparison: Comparison) -> None:
    lines = comparison.markdown().splitlines()
    assert lines[0] == (
        "| model | parameters | FLOPs | weights file | latency, oneDNN on | latency, oneDNN off | acc1 |"
    )
    assert lines[2] == "| best_model | 2.30 M | 314 M | 8.7 MB | 11.4 ms | 57.1 ms | 0.9200 |"
    assert lines[3] == (
        r"| prune\|best_model | 700 k (−70%) | 144 M (−54%) | 2.8 MB (−68%) | 7.20 ms (−37%) | 36.0 ms (−37%) "
        "| 0.9900 (+0.0700 ± 0.0120) |"
    )
    notes = "\n".join(lines[4:])
    for part in (cpu_name(), f"Paddle {paddle.__version__}", "50 runs", "2 threads", f"One FLOP is {FLOP}"):
        assert part in notes
    said = "asked: at most 0.02; metric loss of the whole plan: cut 0.8000, repaired 0.0150 ± 0.0040"
    assert f"Before any retraining, prune|best_model: {said}" in notes
    assert "retraining, best_model" not in notes
    rows = (*comparison.rows, comparison.rows[1].model_copy(update={"name": "retrained"}))
    twice = Comparison(conditions=comparison.conditions, rows=rows).markdown()
    assert f"Before any retraining, prune|best_model and retrained: {said}" in twice
    assert "6.48–7.92 ms with oneDNN on and 32.4–39.6 ms with oneDNN off" in notes


def test_metrics_of_other_names_are_not_subtracted(comparison: Comparison) -> None:
    other = comparison.rows[1].model_copy(update={"metric": MetricValue(name="acc5", value=0.99)})
    lines = Comparison(conditions=comparison.conditions, rows=(comparison.rows[0], other)).markdown().splitlines()
    assert "| acc1, acc5 |" in lines[0]
    assert lines[3].endswith("| 0.9900 |")


def test_a_latency_within_the_spread_is_no_gain(comparison: Comparison) -> None:
    first = comparison.rows[0]
    for on, off, shown in ((12.5, 51.5, "12.5 ms (≈) | 51.5 ms (≈)"), (9.0, 80.0, "9.00 ms (−21%) | 80.0 ms (+40%)")):
        latency = {"onednn_on": on, "onednn_off": off}
        spread = {mode: (0.97 * ms, 1.03 * ms) for mode, ms in latency.items()}
        other = first.model_copy(update={"name": "other", "latency_ms": latency, "latency_spread_ms": spread})
        text_ = Comparison(conditions=comparison.conditions, rows=(first, other)).markdown()
        assert shown in text_.splitlines()[3]
        assert "≈ where two latencies differ by no more than the runs of one model" in text_


def test_the_fastest_runtime_is_named(comparison: Comparison) -> None:
    assert "Fastest: oneDNN on for best_model and prune|best_model." in comparison.notes()
    latency, spread = {"onednn_on": 9.0, "openvino": 8.5}, {"onednn_on": (8.9, 9.9), "openvino": (8.0, 9.1)}
    dense = comparison.rows[0].model_copy(update={"latency_ms": latency, "latency_spread_ms": spread})
    pruned = dense.model_copy(update={"name": "pruned", "latency_ms": {**latency, "openvino": 2.0}})
    pruned = pruned.model_copy(update={"latency_spread_ms": {**spread, "openvino": (1.9, 2.1)}})
    both = Comparison(conditions=comparison.conditions, rows=(dense, pruned))
    assert "Fastest: OpenVINO ≈ oneDNN on for best_model; OpenVINO for pruned." in both.notes()
    assert "latency, oneDNN on | latency, OpenVINO |" in both.markdown()
    latency, spread = {"openvino": 2.0}, {"openvino": (1.9, 2.1)}
    alone = dense.model_copy(update={"latency_ms": latency, "latency_spread_ms": spread})
    assert not any(
        note.startswith("Fastest") for note in Comparison(conditions=comparison.conditions, rows=(alone,)).notes()
    )


def test_a_piped_table_keeps_a_model_on_a_line(comparison: Comparison) -> None:
    out = io.StringIO()
    comparison.show(out)
    line = next(line for line in out.getvalue().splitlines() if "prune|best_model" in line)
    assert "700 k (−70%)" in line
    assert "0.9900 (+0.0700 ± 0.0120)" in line


def test_a_narrow_terminal_gets_models_side_by_side(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    assert Console(file=out).is_terminal
    comparison.show(out)
    line = next(line for line in out.getvalue().splitlines() if "parameters" in line)
    assert "2.30 M" in line
    assert "700 k (−70%)" in line


def test_a_comparison_needs_a_row(comparison: Comparison) -> None:
    with pytest.raises(ValidationError):
        Comparison(conditions=comparison.conditions, rows=())


def test_a_place_that_cannot_be_written(comparison: Comparison, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match=r"comparison\.json"):
        comparison.save(tmp_path / "file")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (987, "987"),
        (999.6, "1.00 k"),
        (2.3e6, "2.30 M"),
        (314e6, "314 M"),
        (99.96e6, "100 M"),
        (4e9, "4.00 G"),
    ],
)
def test_counts(value: float, shown: str) -> None:
    assert text.count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(8.9e6, "8.9 MB"), (230_000, "0.23 MB"), (104.2e6, "104 MB"), (949_000, "0.95 MB")]
)
def test_megabytes(value: float, shown: str) -> None:
    assert text.megabytes(value) == shown


@pytest.mark.parametrize(
    ("value", "before", "shown"), [(32, 100, "−68%"), (104, 100, "+4%"), (999, 1000, "±0%"), (1, 0, "")]
)
def test_changes(value: float, before: float, shown: str) -> None:
    assert text.change(value, before) == shown
