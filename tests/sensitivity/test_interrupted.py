"""A sweep that is interrupted keeps what it has begun, says how to go on, and nobody else writes its table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from test_adaptive import IDENTITY, SAMPLES, Counted, Drawn, Right

from paddleprune.errors import ConfigError, Interrupted, SaveError
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import Batches
from paddleprune.sensitivity import DataMeasurer, Question, SensitivityTable, sweep
from paddleprune.sensitivity.masked.evaluators import Outputs
from paddleprune.sensitivity.measuring.kept import Kept, folder_of, writing_table


class Keeps(Right):
    """Its state can be kept."""

    def state(self) -> dict[str, Array]:
        return {"seen": np.array(self.seen)}

    def restore(self, state: Mapping[str, Array]) -> None:
        self.seen = state["seen"].tolist()


class Stopped(Drawn):
    """Somebody presses Ctrl-C when so many samples have been seen."""

    def __init__(self, groups: int, stop: int) -> None:
        super().__init__(groups)
        self.stop = stop

    def _run(self, inputs: tuple[Array, ...], shares: Sequence[Mapping[str, float]]) -> Iterator[Outputs]:
        for outputs in super()._run(inputs, shares):
            if self.samples > self.stop:
                raise KeyboardInterrupt
            yield outputs


def swept(networks: Drawn, file: Path, metric: Right, batch: int = 25) -> SensitivityTable:
    measurer = DataMeasurer(networks, metric, Batches(Counted(), batch), Question(), None, Kept.beside(file, IDENTITY))
    return sweep(networks.groups, measurer, IDENTITY, save_file=file)


@pytest.mark.parametrize("metric", [Keeps(), Right()])
@pytest.mark.parametrize("done", [0.2, 0.7, 0.98])
def test_what_was_begun_is_not_measured_again(tmp_path: Path, metric: Right, done: float) -> None:
    whole, everything, file = Drawn(6).swept(Question()), 6 * 9 * SAMPLES, tmp_path / "table.json"
    with pytest.raises(Interrupted) as stop:
        swept(Stopped(6, int(done * everything)), file, metric)
    entries = sum(map(len, SensitivityTable.load(file).groups.values()))
    assert entries == (0 if done < 0.5 else 27)
    assert f"{entries} of 54 entries are in {file}" in str(stop.value)
    assert "the same command goes on" in str(stop.value)
    networks = Drawn(6)
    table = swept(networks, file, metric)
    assert table == whole == SensitivityTable.load(file)
    kept = isinstance(metric, Keeps)
    left = everything * (1 - done) if kept else (everything if done < 0.5 else everything / 2)
    assert networks.samples == pytest.approx(left, abs=2 * 27 * 25)
    assert [path.name for path in tmp_path.iterdir()] == ["table.json"]


def test_what_was_kept_of_something_else_is_passed_over(tmp_path: Path) -> None:
    file, everything = tmp_path / "table.json", 6 * 9 * SAMPLES
    for spoil in ("batch", "damage", "empty"):
        with pytest.raises(Interrupted, match="kept beside it"):
            swept(Stopped(6, 9000), file, Keeps())
        for part in folder_of(file).iterdir():
            content = part.read_bytes()
            part.write_bytes({"batch": content, "damage": content[:-1] + b"?", "empty": b""}[spoil])
        networks = Drawn(6)
        assert swept(networks, file, Keeps(), 50 if spoil == "batch" else 25) == Drawn(6).swept(Question())
        assert networks.samples == everything
        file.unlink()


HOLDER = """
import sys, time
from pathlib import Path
from paddleprune.sensitivity.measuring.kept import writing_table
with writing_table(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_process_at_a_time_writes_a_table_and_a_dead_one_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "new" / "table.json"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        message = rf"another command is writing .*table\.json \(process {holder.pid}\); wait for it to end, or choose"
        with pytest.raises(ConfigError, match=message), writing_table(file):
            pass
        with writing_table(tmp_path / "new" / "other.json"):
            pass
        holder.send_signal(signal.SIGKILL)
    with writing_table(file), pytest.raises(ConfigError, match=f"process {os.getpid()}"), writing_table(file):
        pass
    assert not list(file.parent.iterdir())


def test_a_place_for_a_table_that_cannot_be_is_found_first(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match="it is a folder"), writing_table(tmp_path):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="file"), writing_table(tmp_path / "file" / "table.json"):
        pass


@pytest.mark.slow
def test_interrupted_processes_keep_what_they_have_begun(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    command = [sys.executable, str(Path(__file__).with_name("worker_jobs.py")), str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=_heeds) as process:
        deadline = time.monotonic() + 100
        while not (file.exists() and any(SensitivityTable.load(file).groups.values())) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert "interrupted; " in said
    assert "kept beside it; the same command goes on" in said
    assert list(folder_of(file).iterdir())
    subprocess.run(command, check=True, capture_output=True)
    assert SensitivityTable.load(file) == Drawn(6).swept(Question())
    assert not folder_of(file).exists()


def _heeds() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
