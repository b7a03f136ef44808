"""The ways to analyze, by the command line and from Python."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import run

import paddleprune
from paddleprune.errors import ConfigError, TableError
from paddleprune.sensitivity import SensitivityTable
from paddleprune.signed import digest_of

RATIOS = ("--ratios", "0.3,0.6", "--batch-size", 24)


FEW = ("--exclude", "features.[0-9].*", "--exclude", "features.1[0-4].*")
"""So that the last groups alone are analyzed."""


def plan(file: Path, tolerance: float) -> dict[str, float]:
    return SensitivityTable.load(file).ratios_for(tolerance)


def planned_of(file: Path, whole: Path, tolerance: float) -> tuple[dict[str, float], dict[str, float]]:
    """The plan of a table of few groups, and what the whole table plans for the same groups."""
    mine, known = plan(file, tolerance), SensitivityTable.load(file).groups
    assert len(known) >= 3
    return mine, {name: ratio for name, ratio in plan(whole, tolerance).items() if name in known}


def signed(file: Path, content: dict[str, Any]) -> Path:
    file.write_text(json.dumps({**content, "sha256": digest_of(content)}))
    return file


def test_adaptive_and_parallel_tables_make_the_same_plan(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    adaptive, parallel = tmp_path / "adaptive.json", tmp_path / "parallel.json"
    said = ("analyze", dense, "--data", data, *RATIOS, *FEW)
    done = run(*said, "--save-file", adaptive, "--tolerance", "0.1", "--memory", "50MB")
    assert "entries are measured on all samples" in done.stderr
    mine, wanted = planned_of(adaptive, table, 0.1)
    assert mine == wanted
    run(*said, "--save-file", parallel, "--workers", 2)
    one, two = SensitivityTable.load(table), SensitivityTable.load(parallel)
    assert len(two.groups) >= 3
    for name, points in two.groups.items():
        for a, b in zip(points, one.groups[name], strict=True):
            assert abs(a.metric - b.metric) <= 1 / 24 + 1e-9  # half the threads round otherwise: one image at most
    again = parallel.read_bytes()
    run(*said, "--save-file", parallel, "--until-loss", "0.3")  # nothing is left to measure
    assert parallel.read_bytes() == again


def test_parts_that_were_measured_apart_are_the_whole_table(
    data: Path, dense: Path, table: Path, tmp_path: Path
) -> None:
    def measured(name: str, shard: str) -> Path:
        said = {"ratios": [0.3, 0.6], "batch_size": 24}
        paddleprune.analyze(dense, eval_dataset=data, save_file=tmp_path / name, shard=shard, **said)
        return tmp_path / name

    parts = [measured(f"part{number}.json", f"{number}/3") for number in (1, 2, 3)]
    whole, gaps = tmp_path / "whole.json", tmp_path / "gaps.json"
    done = run("merge", *reversed(parts), "--save-file", whole)
    assert done.stdout.startswith(f"table: {whole} ({len(SensitivityTable.load(table).groups)} groups, baseline")
    assert whole.read_bytes() == table.read_bytes()
    paddleprune.merge(parts[1:], save_file=gaps, gaps=True)
    assert 0 < len(plan(gaps, 0.9)) < len(plan(whole, 0.9))
    content = json.loads(parts[0].read_text())
    by_l2 = {**content, "identity": {**content["identity"], "criterion": "l2"}}
    at_one = {**content, "groups": {name: points[:1] for name, points in content["groups"].items()}}
    other, short = signed(tmp_path / "l2.json", by_l2), signed(tmp_path / "short.json", at_one)
    for given, why in (
        (parts[1:], r"no part holds features.*: give all parts, or allow `gaps`"),
        ([*parts, whole], "both hold features.*: give each part once"),
        ([*parts[1:], other], "was measured with the criterion l2, not l1"),
        ([*parts[1:], short], "at the ratios 0.3, another part has 0.3, 0.6: measure it to the end"),
    ):
        with pytest.raises(TableError, match=why):
            paddleprune.merge(given, save_file=tmp_path / "none.json")
    with pytest.raises(ConfigError, match="is given twice"):
        paddleprune.merge([whole, whole], save_file=tmp_path / "none.json")
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize("shard", ["0/3", "4/3", "2", "a/b"])
def test_a_part_is_one_of_several(shard: str, dense: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a part of several, from 1/8 to 8/8"):
        paddleprune.analyze(dense, eval_dataset=tmp_path, save_file=tmp_path / "t.json", shard=shard)


def test_a_time_budget_is_kept_and_the_table_goes_on(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    file = tmp_path / "budget.json"
    done = run("analyze", dense, "--data", data, *RATIOS, *FEW, "--save-file", file, "--time-budget", "0.01s")
    assert "the plan may still change at" in done.stderr
    copy = json.loads(file.read_text())
    assert (
        any(point["implied"] for points in copy["groups"].values() for point in points) or [] in copy["groups"].values()
    )
    run("analyze", dense, "--data", data, *RATIOS, *FEW, "--save-file", file)
    mine, wanted = planned_of(file, table, 0.2)
    assert mine == wanted


def many(data: Path, folder: Path, count: int) -> dict[str, str]:
    """A list of so many lines, that name the images of each class in turns."""
    names = sorted(path.name for path in (data / "val").iterdir())
    images = [
        (image, label) for label, name in enumerate(names) for image in sorted((data / "val" / name).iterdir())[:3]
    ]
    lines = [f"{image} {label}\n" for image, label in images]
    (folder / "list.txt").write_text("".join(lines[i % len(lines)] for i in range(count)))
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    return {
        "data_dir": str(folder),
        "file_list": str(folder / "list.txt"),
        "label_list": str(folder / "labels.txt"),
    }


def test_of_a_large_list_samples_are_drawn(data: Path, dense: Path, tmp_path: Path) -> None:
    file, lists = tmp_path / "drawn.json", many(data, tmp_path, 200_000)
    said = {"eval_dataset": lists, "save_file": file, "ratios": (0.5,), "time_budget": 0.1}
    busy = time.process_time()
    table = paddleprune.analyze(dense, samples=48, **said)
    assert time.process_time() - busy < 60
    assert table.identity.samples == 48
    assert not table.identity.data.startswith("sample:")
    with pytest.raises(TableError, match="was measured with 48 samples, not 64"):
        paddleprune.analyze(dense, samples=64, **said)


@pytest.mark.slow
def test_an_adaptive_analysis_of_large_data_draws_samples_and_goes_on_with_them(
    data: Path, dense: Path, tmp_path: Path
) -> None:
    said = {"eval_dataset": many(data, tmp_path, 200_000), "save_file": tmp_path / "drawn.json", "ratios": (0.5,)}
    groups = {"exclude": ("features.[0-9].*", "features.1[0-7].*")}
    table = paddleprune.analyze(dense, tolerance=(0.05,), **said, **groups)
    assert table.identity.samples == 5000
    again = paddleprune.analyze(dense, **said, **groups)
    assert again.identity == table.identity
    assert not any(point.implied for points in again.groups.values() for point in points)


def test_an_estimate_is_labelled_and_can_be_used(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    file = tmp_path / "taylor.json"
    run("analyze", dense, "--data", data, *RATIOS, "--save-file", file, "--estimate", "taylor")
    estimated, measured = SensitivityTable.load(file), SensitivityTable.load(table)
    assert (estimated.identity.estimated, measured.identity.estimated) == ("taylor", None)
    assert list(estimated.groups) == list(measured.groups)
    losses = np.array([[p.loss for p in points] for points in estimated.groups.values()])
    assert (losses >= 0).all()
    assert losses.std() > 0
    with pytest.raises(TableError, match=r"taylor\.json was measured with no evaluation \(estimated: taylor\)"):
        paddleprune.analyze(dense, eval_dataset=data, save_file=file, ratios=(0.3, 0.6))
    what = ("--pretrain-weights", dense, "--sensitivities-file", file, "--eval-metric-loss", 0.01)
    words = ("--data", data, "--save-dir", tmp_path / "out", "--train-batch-size", 16, "--num-epochs", 1)
    assert (
        "is an estimate: its losses are rises of the training loss"
        in run("train", "classification", *words, *what).stderr
    )


def test_a_plan_that_rests_on_estimates_says_so(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    file, content = tmp_path / "narrow.json", json.loads(table.read_text())
    first, *others = content["groups"]["features.2.conv.0.0"]
    first.update(loss=0.4, error=0.2, samples=8, implied=True)
    for point in others:
        point.update(loss=0.9, error=0.0)
    signed(file, content)
    what = ("--pretrain-weights", dense, "--sensitivities-file", file, "--eval-metric-loss", 0.4)
    words = ("--data", data, "--save-dir", tmp_path / "out", "--train-batch-size", 16, "--num-epochs", 1)
    done = run("train", "classification", *words, *what)
    assert "wasn't measured for --eval-metric-loss 0.4: what goes of 1 group is an estimate" in done.stderr
    assert "`paddleprune analyze --tolerance 0.4` with this file measures it" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tolerance", "-0.1"), "must be a share of the metric, from 0 to below 1, not -0.1"),
        (("--tolerance", "0.05, 5"), "must be a share of the metric, from 0 to below 1, not 5; 5% is 0.05"),
        (("--until-loss", "30"), "must be a share of the metric, from 0 to below 1, not 30; 30% is 0.3"),
        (("--ratios", "0.5,1"), "must be a share of a group's units, between 0 and 1, not 1; 1 would be all of it"),
        (("--time-budget", "soon"), "--time-budget must be a time such as 90s, 10m or 2h, not 'soon'"),
        (("--time-budget", "0m"), "--time-budget must be above 0, not '0m'"),
        (("--samples", "0"), "--samples must be at least 1, not 0"),
        (("--workers", "0"), "--workers must be at least 1, not 0"),
        (("--executor", "slurm"), "--executor must be 'processes' or 'ray', not 'slurm'"),
        (("--address", "auto"), "--address is that of a Ray cluster: give --executor ray with it"),
        (("--executor", "ray", "--estimate", "taylor"), "leave --executor ray out"),
        pytest.param(
            ("--executor", "ray"),
            "--executor ray needs the module 'ray', which is not installed: pip install 'paddleprune[ray]'",
            marks=pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed"),
        ),
        (("--memory", "much"), "memory"),
        (("--estimate", "guess"), "--estimate must be 'taylor', not 'guess'"),
        (("--estimate", "taylor", "--engine", "paddleslim"), "leave --engine out (got 'paddleslim')"),
    ],
)
def test_settings_that_cannot_be_are_named(
    data: Path, dense: Path, tmp_path: Path, words: Sequence[str], message: str
) -> None:
    done = run("analyze", dense, "--data", data, "--save-file", tmp_path / "t.json", *words, code=2)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "t.json").exists()


def test_data_that_cannot_be_handed_to_a_process_is_refused(dense: Path, tmp_path: Path) -> None:
    class Local(paddleprune.Dataset):
        labels = ("circle", "square", "stripes")

        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> Any:
            return (np.zeros((3, 32, 32), np.float32),), index % 3

    with pytest.raises(ConfigError, match="can't be handed to other processes"):
        paddleprune.analyze(dense, eval_dataset=Local(), save_file=tmp_path / "t.json", workers=2)


def test_a_table_of_the_first_format_is_read(dense: Path, table: Path, tmp_path: Path) -> None:
    content = json.loads(table.read_text())
    content["schema_version"] = 1
    del content["identity"]["estimated"], content["sha256"]
    for points in content["groups"].values():
        for point in points:
            for field in ("error", "samples", "implied", "removed"):
                del point[field]
    old = tmp_path / "old.json"
    old.write_text(json.dumps(content))
    assert plan(old, 0.2) == plan(table, 0.2)
    shutil.copy(table, tmp_path / "new.json")
    content["schema_version"] = 4
    old.write_text(json.dumps(content))
    with pytest.raises(TableError, match="has format 4; this version reads up to 3"):
        SensitivityTable.load(old)
