"""Bad data by the command line: one line that names the value, the place and the way out, and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from det_files import write_coco, write_voc
from images import write

NET = ("--model", "yolov3_mobilenet_v1", "--options", "scale=0.125", "--options", "input_size=64")


def refused(folder: Path) -> str:
    """The one line of the error of training on a folder."""
    words = ("train", "detection", *NET, "--data", folder, "--save-dir", folder / "out", "--num-epochs", 1)
    command = [sys.executable, "-m", "paddleprune", *map(str, words), "--train-batch-size", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, lines
    return lines[0]


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    """A change of the first such words in a file."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (
            replaced("Annotations/train_1.xml", "</annotation>", ""),
            ["train_list.txt:2: annotation", "train_1.xml is no XML that can be read: no element found: line 1"],
        ),
        (
            replaced("Annotations/train_2.xml", "<xmax>", "<xmax>9"),
            ["train_list.txt:3", "object 1", "reaches outside its image, 64 wide and 48 high", "correct the box"],
        ),
        (
            replaced("labels.txt", "disc", "disk"),
            ["object 1 ('disc'): the label list has no such class; did you mean 'disk'?"],
        ),
        (
            lambda folder: (folder / "JPEGImages/train_0.png").unlink(),
            ["train_list.txt:1: image", "JPEGImages/train_0.png does not exist"],
        ),
        (
            lambda folder: write(folder / "JPEGImages/train_0.png", np.zeros((20, 30, 3), np.uint8)),
            ["train_list.txt:1", "train_0.png is 30 wide and 20 high, but its annotation says 64 and 48"],
        ),
    ],
)
def test_bad_voc_data(tmp_path: Path, change: Callable[[Path], object], parts: list[str]) -> None:
    change(write_voc(tmp_path))
    line = refused(tmp_path)
    assert all(part in line for part in parts), line


def test_a_box_without_area_in_coco(tmp_path: Path) -> None:
    file = write_coco(tmp_path) / "train.json"
    content = json.loads(file.read_text())
    content["annotations"][2]["bbox"] = [4, 5, 0, 9]
    file.write_text(json.dumps(content))
    line = refused(tmp_path)
    assert "train.json: annotation 3: bbox 4, 5, 0, 9 has no area; correct the box or delete the object" in line
