"""`sample-data` of the built-in tasks: what it writes is what `train` reads, and always the same."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from command import run

import paddleprune
from paddleprune.api.data import open_dataset
from paddleprune.registry import Registry


@pytest.mark.parametrize("task", ["classification", "detection", "segmentation"])
def test_it_is_read_and_the_same_each_time(task: str, tmp_path: Path) -> None:
    first, again = (paddleprune.sample_data(task, save_dir=tmp_path / name) for name in ("first", "again"))
    files = sorted(file.relative_to(first.folder) for file in first.folder.rglob("*.*"))
    assert files
    assert files == sorted(file.relative_to(again.folder) for file in again.folder.rglob("*.*"))
    assert all((first.folder / name).read_bytes() == (again.folder / name).read_bytes() for name in files)
    registry = Registry.discover()
    options = registry.options(task, first.settings["model"], first.settings["options"])
    for split, count in (("train", first.train_samples), ("eval", first.eval_samples)):
        data = open_dataset(registry, task, first.folder, split, options)
        assert len(data) == count > 0
        assert list(data.labels) == list(first.labels)
        assert all(data[index][0][0].shape == options.input_shapes()[0] for index in range(count))


def test_the_next_command_is_one(tmp_path: Path) -> None:
    first, second = run("sample-data", "detection", "--save-dir", "my signs", cwd=tmp_path).stdout.splitlines()
    assert first == "my signs: 8 samples to train on, 2 to evaluate; classes: stop"
    program, *words = shlex.split(second.removeprefix("next: "))
    assert program == "paddleprune"
    run(*words, "--num-epochs", 1, cwd=tmp_path)
    assert (tmp_path / "output/yolov3_mobilenet_v1/best_model").is_dir()
