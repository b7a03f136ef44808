"""Several processes: the same table, whatever dies."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import small
import worker_jobs
from test_adaptive import IDENTITY, Drawn

from paddleprune.errors import DataError, WorkerError
from paddleprune.machine.cpu import cpu_threads
from paddleprune.sensitivity import Processes, Question, SensitivityTable, WorkerMeasurer, sweep
from paddleprune.sensitivity.measuring import processes
from paddleprune.sensitivity.measuring.executor import Make, Unit
from paddleprune.sensitivity.measuring.scores import Baseline


def swept(make: Make, file: Path | None = None, *, workers: int = 2, together: bool = False) -> SensitivityTable:
    executor = Processes(workers)
    with executor.open("worker_jobs"):
        measurer = WorkerMeasurer(executor, make, worker_jobs.measurer(), together=together)
        return sweep(Drawn(6).groups, measurer, IDENTITY, save_file=file)


@pytest.mark.parametrize("together", [False, True])
def test_the_table_is_that_of_one_process(together: bool) -> None:
    assert swept(worker_jobs.spared, together=together) == Drawn(6).swept(Question())


def test_what_was_found_on_other_batches_isn_t_taken_over() -> None:
    with pytest.raises(DataError, match="a worker ran the dense network"):
        worker_jobs.spared().baseline()
    found, whole = swept(worker_jobs.in_other_batches), Drawn(6).swept(Question())
    for name, points in whole.groups.items():
        assert [point.metric for point in found.groups[name]] == [point.metric for point in points]


def test_a_process_that_dies_costs_only_what_it_was_at(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    table = swept(partial(worker_jobs.dies_once, tmp_path / "died"), tmp_path / "table.json")
    assert (tmp_path / "died").exists()
    assert table == Drawn(6).swept(Question())
    assert "a process died while it measured g3; they are measured again" in capfd.readouterr().err


@pytest.mark.slow
def test_what_kills_every_process_is_named_and_the_rest_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    with pytest.raises(WorkerError, match="died twice while it measured g3; everything else is in the table"):
        swept(worker_jobs.dies, file)
    table, whole = SensitivityTable.load(file), Drawn(6).swept(Question())
    assert {name: points for name, points in table.groups.items() if points} == {
        name: points for name, points in whole.groups.items() if name != "g3"
    }
    assert swept(worker_jobs.measurer, file) == whole


def test_an_error_in_a_process_is_the_caller_s() -> None:
    with pytest.raises(DataError, match="the disk is gone"):
        swept(worker_jobs.fails)


def test_threads_are_shared_and_the_environment_is_left_as_it_was() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    swept(partial(worker_jobs.counts_threads, max(1, cpu_threads() // 2)))
    assert os.environ.get("OMP_NUM_THREADS") == before


@pytest.mark.slow
def test_a_real_network_in_two_processes() -> None:
    _, graph, _ = small.parts()
    one, executor = small.analyze(), Processes(2)
    with executor.open("worker_jobs"):
        measurer = WorkerMeasurer(executor, worker_jobs.real, worker_jobs.real(), together=False)
        two = sweep(graph.prunable, measurer, one.identity, ratios=small.RATIOS)
    assert two == one


def test_neighbours_go_together_as_long_as_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    given = list[list[str]]()

    def noted(self: Any, unit: Unit, baseline: float, dense: Baseline) -> None:
        given.append(list(unit))
        give(self, unit, baseline, dense)

    give = processes._Child.give
    monkeypatch.setattr(processes._Child, "give", noted)
    swept(worker_jobs.measurer)
    assert given == [["g0", "g1"], ["g2"], ["g3"], ["g4"], ["g5"]]
