"""Damaged and hostile files, a few of each kind; `make faults` takes thousands."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_damaged_and_hostile_files_give_one_line_or_their_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    counts = importlib.import_module("faults.files").run(scale=0.01, seed=1)
    assert counts.pop("mutations") > 250
    assert set(counts.values()) == {0}, counts
    assert set(counts) == {"accepted_changed", "foreign_exceptions", "hangs"}
