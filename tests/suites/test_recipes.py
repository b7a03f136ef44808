"""The recipes of docs/recipes, each with a network that its suite has trained: `make test-suites`.

`PADDLESEG_PYTHON` and `PADDLEDET_PYTHON` name the interpreters of environments that hold a suite and this project;
`PADDLECLAS` is a checkout of PaddleClas, which the latter runs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paddle import inference
from pages import ROOT
from PIL import Image

HERE = Path(__file__).parent
RECIPES = ROOT / "docs/recipes"
pytestmark = pytest.mark.slow


def python_of(suite: str) -> str:
    """The interpreter of the environment that has a suite; without one the test is skipped."""
    name = f"{suite}_PYTHON"
    if name not in os.environ:
        pytest.skip(f"{name} names no interpreter; `make test-suites` does")
    return str(ROOT / os.environ[name])


def run(place: Path, *command: object) -> str:
    """What a process says."""
    words = [str(word) for word in command]
    there = {**os.environ, "PYTHONPATH": os.environ.get("PADDLECLAS", "")}
    done = subprocess.run(words, cwd=place, env=there, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def check_cut(folder: Path, training: bool = True) -> None:
    """Half of the FLOPs went, and the cut was certified, in training mode too where the network then does more."""
    plan = json.loads((folder / "plan.json").read_text())
    assert 0.4 < plan["after"]["flops"] / plan["before"]["flops"] <= 0.5
    assert plan["certificate"]["training"] == training
    assert plan["repair"] is not None


def check_export(folder: Path, program: Path) -> list[Any]:
    """The exported program, which needs nothing of the suite, gives what the network gave."""
    inputs, outputs = np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")
    config = inference.Config(str(program), str(program.with_suffix(".pdiparams")))
    config.disable_mkldnn()  # which Paddle 3.3 can't resize with to a size that the network computes
    predictor = inference.create_predictor(config)
    for name in predictor.get_input_names():
        predictor.get_input_handle(name).copy_from_cpu(inputs[name])
    predictor.run()
    found = [predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()]
    for mine, theirs in zip(found, outputs.values(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())
    return found


def write_squares(folder: Path, count: int, size: int) -> None:
    """Pictures of a red or green square, with masks and boxes, as the suites' lists and COCO's files say them."""
    (folder / "images").mkdir()
    generator, half = np.random.default_rng(0), size // 2
    images, boxes = [], []
    for i in range(count):
        top, left = generator.integers(0, half, 2).tolist()
        mask = np.zeros((size, size), np.uint8)
        mask[top : top + half, left : left + half] = 1
        picture = generator.integers(0, 100, (size, size, 3))
        picture[:, :, i % 2] += 150 * mask
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"images/{i}.png")
        Image.fromarray(mask).save(folder / f"images/{i}_mask.png")
        images.append({"id": i, "file_name": f"{i}.png", "width": size, "height": size})
        box = {"bbox": [left, top, half, half], "area": half * half, "iscrowd": 0}
        boxes.append({"id": i, "image_id": i, "category_id": i % 2 + 1, **box})
    kinds = [{"id": 1, "name": "red"}, {"id": 2, "name": "green"}]
    (folder / "boxes.json").write_text(json.dumps({"images": images, "annotations": boxes, "categories": kinds}))
    (folder / "images/classes.txt").write_text("".join(f"{i}.png {i % 2}\n" for i in range(count)))
    (folder / "images/list.txt").write_text("".join(f"{i}.png {i}_mask.png\n" for i in range(count)))


def test_paddleseg(tmp_path: Path) -> None:
    python, config = python_of("PADDLESEG"), HERE / "paddleseg.yml"
    write_squares(tmp_path, 8, size=64)
    run(tmp_path, python, HERE / "paddleseg_itself.py", "train", config, "dense")

    weights = ("--config", config, "--weights", "dense/iter_6/model.pdparams")
    said = run(tmp_path, python, RECIPES / "prune_paddleseg.py", *weights, "--iters", 10, "--save-dir", "cut")
    check_cut(tmp_path / "cut")
    trained, reloaded = re.findall(r"\[EVAL\] #Images: (.*)", said)
    assert trained == reloaded

    run(tmp_path, python, HERE / "paddleseg_itself.py", "outputs", config, "cut")
    check_export(tmp_path / "cut", tmp_path / "cut/inference/model.json")


def test_paddleclas(tmp_path: Path) -> None:
    if "PADDLECLAS" not in os.environ:
        pytest.skip("PADDLECLAS names no checkout of PaddleClas, whose package has no trainer")
    python, config = python_of("PADDLEDET"), HERE / "paddleclas.yml"
    write_squares(tmp_path, 8, size=64)
    run(tmp_path, python, HERE / "paddleclas_itself.py", "train", config)

    weights = ("--config", config, "--weights", "dense/best_model.pdparams")
    said = run(tmp_path, python, RECIPES / "prune_paddleclas.py", *weights, "--save-dir", "cut")
    check_cut(tmp_path / "cut", training=False)
    trained, reloaded = re.findall(r"\[Eval\]\[Epoch \d+\]\[Avg\](.*)", said)
    assert trained == reloaded

    run(tmp_path, python, HERE / "paddleclas_itself.py", "outputs", config, "cut")
    check_export(tmp_path / "cut", tmp_path / "cut/inference.json")


def test_paddledetection(tmp_path: Path) -> None:
    python, config = python_of("PADDLEDET"), HERE / "paddledetection.yml"
    write_squares(tmp_path, 8, size=96)
    run(tmp_path, python, HERE / "paddledetection_itself.py", "train", config)

    weights = ("--config", config, "--weights", "dense/paddledetection/model_final.pdparams")
    recipe = RECIPES / "prune_paddledetection.py"
    said = run(tmp_path, python, recipe, *weights, "--epochs", 60, "--save-dir", "cut")
    check_cut(tmp_path / "cut")
    precision = re.findall(r"Average (?:Precision|Recall) .* = (\S+)", said)
    assert len(precision) == 24
    assert precision[:12] == precision[12:]
    assert float(precision[8]) > 0  # of ten boxes an image some are right

    run(tmp_path, python, HERE / "paddledetection_itself.py", "outputs", config, "cut")
    boxes, _ = check_export(tmp_path / "cut", tmp_path / "cut/paddledetection/model.pdmodel")
    assert len(boxes) > 0
