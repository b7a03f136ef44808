"""The fuzzer: random networks hold, a broken rule is found and minimised, and nothing that dies goes unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fuzz_jobs
import pytest

from paddleprune.graph import rules
from paddleprune.graph.rules import follow
from paddleprune.testing.fuzz.runner import Chunk, run, run_chunks
from paddleprune.testing.fuzz.search import Failure, Told, search


@pytest.mark.parametrize("networks", [80, pytest.param(1000, marks=pytest.mark.slow)])
def test_random_networks_hold(networks: int) -> None:
    report = run(networks, seed=0, jobs=2)
    assert not report.failures, str(report)
    tally = report.tally
    assert tally.networks >= 0.97 * networks
    assert tally.cuts > 1.7 * networks
    assert tally.whole < 0.35 * networks
    assert tally.compiled
    assert tally.inexact
    assert len(tally.kinds) > 45
    assert {"linear", "conv", "depthwise", "concat", "join", "split_channels"} <= set(tally.kinds)


def test_the_same_seed_gives_the_same_networks() -> None:
    calls: list[list[str]] = [[], []]
    for found in calls:
        told: list[Told] = []
        search(7, 10, told.append)
        found += [said for said in told if isinstance(said, str)]
    assert calls[0] == calls[1]
    assert len(set(calls[0])) > 5


def test_a_broken_rule_is_found_and_minimised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rules.RULES, "concat", follow.same)  # as if only the first part were there
    told: list[Told] = []
    search(1, 300, told.append)
    (failure,) = [said for said in told if isinstance(said, Failure)]
    assert "concat" in failure.call
    assert failure.call.count("Step(") <= 5, failure.call


def test_a_process_that_dies_is_reported_and_the_rest_is_checked() -> None:
    report = run_chunks([Chunk(0, 4, fuzz_jobs.dies)], jobs=1)
    (failure,) = report.failures
    assert failure.call == "check(second of 4)"
    assert failure.symptom == "the process died with code -9; not minimised"
    assert report.tally.networks == 4


def test_a_network_that_was_checked_is_not_blamed_for_the_next_one() -> None:
    report = run_chunks([Chunk(0, 2, fuzz_jobs.dies_drawing)], jobs=1)
    (failure,) = report.failures
    assert failure.call == "# while drawing the network after\ncheck(first)"


def test_a_process_that_never_starts_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paddleprune.testing.fuzz.runner._PATIENCE", 1.0)
    monkeypatch.setattr("paddleprune.testing.fuzz.runner._STARTING", 0.0)
    report = run_chunks([Chunk(0, 1, fuzz_jobs.never_starts)], jobs=1)
    (failure,) = report.failures
    assert failure.call == "# before the first network"
    assert "not done after 1 seconds" in failure.symptom


def test_a_network_that_hangs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paddleprune.testing.fuzz.runner._PATIENCE", 3.0)
    report = run_chunks([Chunk(0, 1, fuzz_jobs.hangs)], jobs=1)
    (failure,) = report.failures
    assert failure.call == "check(endless)"
    assert "not done after 3 seconds" in failure.symptom


def command(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "paddleprune.testing.fuzz", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, **options)


def test_the_command_prints_what_it_checked() -> None:
    done = command("--networks", "5", "--seed", "3")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "0 mismatches" in done.stdout
    assert "fuzz 5/5" in done.stderr


def test_a_missing_hypothesis_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "hypothesis.py").write_text("raise ModuleNotFoundError('no', name='hypothesis')")
    done = command("--networks", "1", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: the fuzzer needs the module 'hypothesis'")
    assert "pip install 'paddleprune[dev]'" in done.stderr
    assert "Traceback" not in done.stderr
