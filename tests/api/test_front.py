"""What each size costs, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import run
from test_bad_input import refused

from paddleprune.pruning import Plan


def test_each_size_is_cut_repaired_and_measured_and_the_model_stays_as_it_is(
    data: Path, work: Path, dense: Path
) -> None:
    weights = (dense / "weights.safetensors").read_bytes()
    words = ("--data", data, "--samples", 32, "--shares", "0.5, 0.8, 0.0001", "--by", "params")
    done = run("front", dense, *words, "--save-dir", work / "front")
    front = json.loads((work / "front" / "front.json").read_text())
    assert (front["by"], front["samples"], len(front["points"])) == ("params", 24, 2)
    for share, point in zip((0.8, 0.5), front["points"], strict=True):
        plan = Plan.load(next((work / "front").glob(f"plan_{point['params']:.2f}.json")))
        assert plan.after.parameters / plan.before.parameters == pytest.approx(point["params"])
        assert share - 0.05 < point["params"] <= share
        assert f"{point['flops']:.1%}" in done.stdout
        assert f"{point['repaired']:.4f}" in done.stdout
    assert (work / "front" / "front.png").read_bytes().startswith(b"\x89PNG")
    assert f"dense: acc1 {front['baseline']:.4f} (24 samples)" in done.stdout
    assert (dense / "weights.safetensors").read_bytes() == weights


def test_sizes_that_cannot_be(data: Path, tmp_path: Path, dense: Path) -> None:
    there = ("--data", data, "--save-dir", tmp_path / "front", "--samples", 16)
    message = refused("front", dense, *there, "--shares", "0.5, 50")
    assert "entry 2 must be a share that stays, between 0 and 1, not 50; 50% is 0.5" in message
    assert "at least 0." in refused("front", dense, *there, "--shares", 0.0001)
    assert not (tmp_path / "front" / "front.json").exists()
