"""The report of real runs, by the command line and from Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import run
from test_bad_input import refused

import paddleprune
from paddleprune.errors import CheckpointError, ConfigError, PlanError, SaveError, TableError
from paddleprune.files import write_json
from paddleprune.measure.latency import Latency
from paddleprune.reports import Comparison, Front, FrontPoint, MetricValue, comparison_row
from paddleprune.reports.html import gather, unedited
from paddleprune.reports.rows import Conditions


@pytest.fixture(scope="module")
def runs(work: Path, dense: Path, pruned: Path, table: Path) -> Path:
    """A folder as a demo leaves it: a dense run and a pruned one, their table, a comparison, a front and examples."""
    folder = work / "as a demo"
    shutil.copytree(dense.parent, folder / "net")
    shutil.copytree(pruned.parent, folder / "net_prune")
    shutil.copy(table, folder / "sensitivities.json")
    time = {"onednn_on": Latency(median_ms=2.0, p10_ms=1.9, p90_ms=2.1, runs=50, threads=1)}
    good = MetricValue(name="acc1", value=0.9)
    rows = [
        comparison_row(name, parameters=count, flops=count, file_bytes=count, latency=time, metric=good)
        for name, count in (("net", 4000), ("net_prune", 1000))
    ]
    how = Conditions(cpu="a CPU", threads=1, runs=50, runtimes=("Paddle 3",))
    Comparison(conditions=how, rows=tuple(rows)).save(folder)
    points = (FrontPoint(flops=0.5, params=0.5, cut=0.3, repaired=0.8, error=0.01),)
    what = {"model": "mobilenet_v2", "metric": "acc1", "higher_is_better": True, "baseline": 0.9, "samples": 24}
    write_json(folder / "front" / "front.json", Front(**what, by="flops", points=points))
    (folder / "examples").mkdir()
    cv2.imwrite(str(folder / "examples" / "0.png"), np.full((90, 1800, 3), 128, np.uint8))
    (folder / "examples" / "broken.png").write_bytes(b"no picture")
    return folder


def test_a_run_leaves_its_report_after_a_cut_and_no_dense_one_does(dense: Path, pruned: Path) -> None:
    assert not (dense.parent / "report.html").exists()
    content = (pruned.parent / "report.html").read_text()
    assert unedited(pruned.parent / "report.html")
    assert "<dt>command</dt><dd>paddleprune train classification --data " in content.split("How to make it again")[1]
    for words in ("What went from each group", "The repair, layer by layer", "Certificate", "Training"):
        assert words in content
    typed = re.sub("<dt>command</dt><dd>.*?</dd>", "", content)  # nobody's folders, but for those that somebody typed
    assert str(pruned.parent.parent.parent) not in typed.replace(str(pruned.parent.parent), "")


def test_what_is_on_disk_is_gathered(runs: Path, pruned: Path, tmp_path: Path) -> None:
    known = gather(runs)
    assert [(model.name, model.stage) for model in known.models] == [("net", "dense"), ("net_prune", "retrained")]
    assert [row.name for row in known.rows] == ["net", "net_prune"]
    assert any("median of at least 50 runs" in note for note in known.notes)
    assert known.front is not None
    assert known.table is not None
    assert known.table.identity.model == known.models[0].digest
    assert [len(model.history) for model in known.models] == [3, 1]
    assert [(p.name, p.width, p.height) for p in known.pictures] == [("0.png", 640, 32)]
    assert known.unshown == 1
    assert gather(pruned) == gather(pruned.parent)
    assert gather(pruned).table is not None  # the file that its run.json names, if it is still the same
    assert gather(runs / "net" / "epoch_2").models[0].history[-1].epoch == 2
    assert gather(runs / "net_prune" / "epoch_1").models[0].stage == "retrained"
    copied = shutil.copytree(pruned, tmp_path / "best_model")
    assert gather(copied).models[0].stage == "cut"
    shutil.copy(pruned / "plan.json", tmp_path)
    assert gather(copied).models[0].stage == "cut and repaired"


def test_the_command_line_writes_one_file_without_paddle(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    done = run("report", runs, "--save-file", file)
    assert done.stdout == f"{file}\n"
    content = file.read_text()
    assert 20_000 < len(content) < 400_000
    assert "http" not in content.replace("http-equiv", "")
    assert "data:image/jpeg;base64," in content
    program = f"import sys, paddleprune; paddleprune.report({str(runs)!r}, save_file={str(file)!r}, overwrite=True)"
    program += "; assert not {'paddle', 'matplotlib'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert file.read_text() == content


def test_several_runs_go_into_one_file(runs: Path, tmp_path: Path) -> None:
    run("report", runs / "net", runs / "net_prune" / "best_model", cwd=tmp_path)
    content = (tmp_path / "report.html").read_text()
    assert "2 runs side by side" in content
    assert content.count('<h2 class="run">') == 2


def test_what_cannot_be_is_one_line(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report.html").write_text("mine")
    words = ("report", runs / "net", "--save-file", tmp_path / "report.html")
    assert f"{tmp_path / 'report.html'} is there already; choose another --save-file" in refused(*words)
    assert (tmp_path / "report.html").read_text() == "mine"
    with pytest.raises(CheckpointError, match="is no checkpoint and no run: it holds no"):
        paddleprune.report(tmp_path, save_file=tmp_path / "other.html")
    with pytest.raises(CheckpointError, match="does not exist"):
        paddleprune.report(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="is a file; give a folder"):
        paddleprune.report(tmp_path / "report.html", save_file=tmp_path / "other.html")
    with pytest.raises(ConfigError, match="the same checkpoint is there twice"):
        paddleprune.report([runs / "net", runs / "net" / "best_model"], save_file=tmp_path / "other.html")
    with pytest.raises(ConfigError, match="give at least one run"):
        paddleprune.report([])
    with pytest.raises(ConfigError, match="a path must be text"):
        paddleprune.report(5)  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(CheckpointError, match=r"\. is no checkpoint and no run"):
        paddleprune.report(".")
    with pytest.raises(SaveError, match=r"report\.html is a file, not a folder"):
        paddleprune.report(runs / "net", save_file=tmp_path / "report.html" / "below.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "report.html"]


@pytest.mark.parametrize(
    ("file", "error"),
    [
        ("net/best_model/checkpoint.json", CheckpointError),
        ("net/best_model/weights.safetensors", CheckpointError),
        ("net_prune/best_model/plan.json", CheckpointError),
        ("net/history.json", CheckpointError),
        ("net/run.json", CheckpointError),
        ("comparison.json", CheckpointError),
        ("front/front.json", CheckpointError),
        ("sensitivities.json", TableError),
    ],
)
def test_a_damaged_file_is_named_and_nothing_is_written(
    file: str, error: type[PlanError], runs: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    content = (tmp_path / "runs" / file).read_bytes()
    (tmp_path / "runs" / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(error) as said:
        paddleprune.report(tmp_path / "runs")
    assert str(tmp_path / "runs" / file) in str(said.value)
    assert not (tmp_path / "runs" / "report.html").exists()


def test_names_in_a_checkpoint_are_only_text(runs: Path, tmp_path: Path) -> None:
    """Signed anew, as whoever makes a checkpoint can."""
    from paddleprune.signed import write_signed
    from paddleprune.training import read_info

    shutil.copytree(runs / "net", tmp_path / "net")
    info = read_info(tmp_path / "net" / "best_model")
    labels = ("<script>alert(1)</script>", "\ud800", *info.labels[2:])
    write_signed(tmp_path / "net" / "best_model" / "checkpoint.json", info.model_copy(update={"labels": labels[:1]}))
    raw = json.loads((tmp_path / "net" / "history.json").read_text())
    raw[0]["loss"] = "NaN"
    (tmp_path / "net" / "history.json").write_text(json.dumps(raw))
    content = paddleprune.report(tmp_path / "net").read_text()
    assert "&lt;script&gt;alert(1)" in content
    assert content.count("<script>") == 1


def test_an_edited_report_stays_when_the_run_goes_on(data: Path, pruned: Path, table: Path, dense: Path) -> None:
    from paddleprune.api.report import leave_report

    file = pruned.parent / "report.html"
    before = file.read_text()
    leave_report(pruned.parent)
    assert file.read_text() == before
    file.write_text(before.replace('aria-label="contact"', 'aria-label="contact" title="me"'))
    leave_report(pruned.parent)
    assert 'title="me"' in file.read_text()
    file.write_text(before)
    if os.getuid():  # root may write anywhere
        file.parent.chmod(0o500)
        with pytest.raises(SaveError):
            paddleprune.report(pruned, save_file=file, overwrite=True)
        file.parent.chmod(0o700)
