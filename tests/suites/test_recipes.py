"""The recipes of docs/recipes, each with a network that its suite has trained: `make test-suites`.

`PADDLESEG_PYTHON` and its like name the interpreters of the environments that hold a suite and this project.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import paddle
import pytest
from pages import ROOT
from PIL import Image

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


def python_of(suite: str) -> str:
    """The interpreter of the environment that has a suite; without one the test is skipped."""
    name = f"{suite.upper()}_PYTHON"
    if name not in os.environ:
        pytest.skip(f"{name} names no interpreter; `make test-suites` does")
    return str(ROOT / os.environ[name])


def run(place: Path, *command: object) -> str:
    """What a process says."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def check_cut(folder: Path, share: float) -> None:
    """The plan was carried out, and certified, within its budget."""
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["after"]["flops"] <= share * plan["before"]["flops"]
    assert plan["certificate"]["max_difference"] <= plan["certificate"]["tolerance"]


def check_export(folder: Path) -> None:
    """The exported program, which needs nothing of the suite, gives what the network gave."""
    images, outputs = (np.load(folder / f"{name}.npy") for name in ("images", "outputs"))
    program = paddle.jit.load(str(folder / "inference" / "model"))
    found = program(paddle.to_tensor(images))
    found = found[0] if isinstance(found, (list, tuple)) else found
    np.testing.assert_allclose(found.numpy(), outputs, rtol=1e-3, atol=1e-4 * np.abs(outputs).max())


PADDLESEG = """
batch_size: 4
iters: 6
train_dataset:
  type: Dataset
  dataset_root: images
  train_path: images/list.txt
  num_classes: 2
  mode: train
  transforms: [{type: RandomHorizontalFlip}, {type: Normalize}]
val_dataset:
  type: Dataset
  dataset_root: images
  val_path: images/list.txt
  num_classes: 2
  mode: val
  transforms: [{type: Normalize}]
optimizer: {type: SGD, momentum: 0.9, weight_decay: 4.0e-5}
lr_scheduler: {type: PolynomialDecay, learning_rate: 0.05, end_lr: 0, power: 0.9}
loss: {types: [{type: CrossEntropyLoss}], coef: [1, 1, 1, 1, 1]}
model: {type: BiSeNetV2, num_classes: 2}
"""


def write_squares(folder: Path, count: int) -> None:
    """Pictures of a bright square, each with its mask, as PaddleSeg lists them."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(count):
        top, left = generator.integers(0, 32, 2)
        mask = np.zeros((64, 64), np.uint8)
        mask[top : top + 32, left : left + 32] = 1
        picture = generator.integers(0, 100, (64, 64, 3)) + 150 * mask[:, :, None]
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{i}.png")
        Image.fromarray(mask).save(folder / f"{i}_mask.png")
    (folder / "list.txt").write_text("".join(f"{i}.png {i}_mask.png\n" for i in range(count)))


def test_paddleseg(tmp_path: Path) -> None:
    python = python_of("paddleseg")
    write_squares(tmp_path / "images", 8)
    (tmp_path / "config.yml").write_text(PADDLESEG)
    run(tmp_path, python, HERE / "paddleseg_itself.py", "train", "config.yml", "dense")

    weights = ("--config", "config.yml", "--weights", "dense/iter_6/model.pdparams")
    recipe = ROOT / "docs/recipes/prune_paddleseg.py"
    said = run(tmp_path, python, recipe, *weights, "--iters", 10, "--save-dir", "cut")
    check_cut(tmp_path / "cut", 0.5)
    trained, reloaded = re.findall(r"\[EVAL\] #Images: (.*)", said)
    assert trained == reloaded

    run(tmp_path, python, HERE / "paddleseg_itself.py", "outputs", "config.yml", "cut")
    check_export(tmp_path / "cut")
