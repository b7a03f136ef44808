"""The benchmarks run, and end with their figures as JSON."""

from __future__ import annotations

import importlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SPY = pytest.mark.skipif(shutil.which("py-spy") is None, reason="py-spy isn't installed; `make bench-decode` does")
SLIM = pytest.mark.skipif(importlib.util.find_spec("paddleslim") is None, reason="PaddleSlim isn't installed")


def figures(name: str, *arguments: str) -> tuple[Any, str]:
    command = [sys.executable, str(FOLDER / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1]), done.stdout


def test_a_simulated_sweep_deals_groups_to_whoever_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    costs = importlib.import_module("simulation").Costs(2.0, 1.0, 2.0, 0.1, 0.4, ((1.0, 0.1), (1.0, 0.2), (1.0, 0.4)))
    opened, dense = 2.0 + 1.0 + 10 * 0.1, 2.0 + 10 * 0.4
    assert costs.sweep(10, 1) == pytest.approx(opened + dense + 2.0 + 3.0 + 5.0)
    ready = opened + 1.0 + 2.0 + 10 * 0.1
    assert costs.sweep(10, 2) == pytest.approx(ready + dense / 2 + max(2.0 + 5.0, 3.0))
    begun = opened + dense  # many workers wait for the dense network's outputs
    assert costs.sweep(10, 64) == pytest.approx(begun + 5.0)  # a group is the smallest piece
    assert costs.sweep(10, 64, fits=False) == pytest.approx(begun + 1.0 + 6.0)
    assert costs.read(10, 3, 1e6, 10.0) == pytest.approx(4.0)


@pytest.mark.slow
def test_two_workers_make_the_same_table_and_are_foreseen() -> None:
    found, text = figures("scale.py", "efficiency", "--families", "mobilenet_v2", "--samples", "8", "--rounds", "1")
    assert 0 < found["local_efficiency_2"] < 1.2
    assert abs(found["simulation_error"]) < 1
    assert "64 workers" in text


@SLIM
@pytest.mark.slow
def test_coverage_counts_every_filter_of_a_family_and_of_paddle_s_own_version() -> None:
    found, table = figures("coverage.py", "lenet", "shufflenet_v2_x0_25")
    assert (found["models"], found["mismatches"]) == (3, 0)
    assert 0 < found["paddleslim"] < found["prunable"] < found["filters"]
    rows = {line.split("  ")[0]: line.split()[-5:] for line in table.splitlines()}
    assert rows["lenet"][:2] == ["226", "226"]  # 6 + 16 filters, 120 + 84 rows; the last layer feeds the output
    assert rows["shufflenet_v2_x0_25"][0] == rows["shufflenet_v2_x0_25"][1]


@SPY
@pytest.mark.slow
def test_decoding_says_how_long_it_holds_the_lock_and_what_a_process_would_cost() -> None:
    found, _ = figures("decode.py", "classification", "--seconds", "3")
    known = found.pop("known")
    assert known["held_share"] == pytest.approx(known["known_share"], abs=0.15)
    assert list(found) == ["classification 500x375", "classification 1920x1080"]
    for row in found.values():
        assert 0 < row["held_share"] < 0.6
        assert row["held_ms"] == pytest.approx(row["held_share"] * row["cpu_ms"])
        assert row["handed_over_ms"] > 0


@SLIM
def test_tracing_compares_and_grows() -> None:
    found, _ = figures("tracing.py", "lenet", "--depths", "8", "14")
    assert (found["models"], found["compared"]) == (1, 1)
    assert found["ratio"] == pytest.approx(found["paddleslim_seconds"] / found["native_seconds"], rel=0.2)
    small, large = found["growth"]
    assert large["operations"] > small["operations"]


@pytest.mark.slow
def test_scores_and_classes_make_the_same_table() -> None:
    found, text = figures("outputs.py", "--side", "64", "--images", "8", "--every", "20")
    assert found["max_metric_difference"] == 0
    assert found["scores_bytes"] == 76 * found["classes_bytes"]
    assert "metric" in text


@SLIM
@pytest.mark.slow
def test_the_sweep_is_compared_on_every_count() -> None:
    found, text = figures("sweep.py", "mobilenet_v2", "--images", "16", "--every", "12")
    row = found["mobilenet_v2"]
    assert row["exact"] > 1
    assert row["max_metric_difference"] <= 1 / 16
    assert row["same_plan"]
    assert 0.3 < row["peak_rss_ratio"] < 3
    assert "GEMM peak" in text


@pytest.mark.slow
def test_plans_that_are_asked_for_a_latency_are_compared() -> None:
    found, _ = figures("latency.py", "mobilenet_v2", "--shares", "0.7")
    row = found["mobilenet_v2"]["0.7"]
    assert 0.5 < row["got"] < 0.8
    assert row["flops"] < 0.95


@pytest.mark.slow
def test_sides_of_a_budget_are_compared(tmp_path: Path) -> None:
    places = ["--folder", str(tmp_path / "networks"), "--tables", str(tmp_path / "tables")]
    found, text = figures("budgets.py", "digits", "--samples", "32", "--shares", "0.7", *places)
    assert found["cells"] == 1
    cell = found["results"]["digits"]["0.7"]
    assert cell["own"] == "obs"
    assert {"obs", "table", "l1", "fpgm"} <= cell["sides"].keys()
    assert all(row["flops"] >= 0.7 - 1e-9 for row in cell["sides"].values())
    ahead = cell["sides"]["obs"]["repaired"] - cell["sides"][cell["best_other"]]["repaired"]
    assert cell["sides"][cell["best_other"]]["ahead"] == pytest.approx(ahead)
    assert found["ahead_or_equal"] == (ahead >= -cell["sides"][cell["best_other"]]["ahead_error"])
    assert (tmp_path / "tables" / "digits.json").exists()
    assert "ours is obs" in text


@pytest.mark.slow
def test_nothing_is_lost_when_commands_are_killed() -> None:
    command = [sys.executable, "-m", "benchmarks.faults", "kills", "--scale", "0.05"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=FOLDER.parent)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kills"] >= 10
    assert found["lost"] == found["corrupt"] == found["stuck"] == 0


@pytest.mark.slow
def test_the_solver_is_timed_and_never_loses_more_than_a_greedy_choice() -> None:
    found, _ = figures("solver.py", "--groups", "6", "--samples", "8")
    assert found["groups"] == 6
    for kind in ("table, flops", "table, flops+params", "samples, flops"):
        for greedy, planned in found[kind]["lost, greedily and by the plan"].values():
            assert planned <= greedy + 1e-4


@pytest.mark.slow
def test_every_kind_of_list_is_opened() -> None:
    found, text = figures("scale.py", "list", "--lines", "3000")
    assert set(found["list"]) == {"classification", "segmentation", "detection"}
    for row in found["list"].values():
        assert row["peak_mb"] >= row["before_mb"] > 0
    assert "3,000 lines" in text


@pytest.mark.slow
def test_workers_are_timed() -> None:
    found, _ = figures("scale.py", "efficiency", "--samples", "8")
    for rows in found["efficiency"].values():
        assert rows["1"]["efficiency"] == 1
        assert rows["2"]["efficiency"] == pytest.approx(rows["1"]["seconds"] / (2 * rows["2"]["seconds"]), abs=1e-3)
