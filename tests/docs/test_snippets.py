"""Every command and every program in the docs runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from checkpoints import write_checkpoint
from installed import install
from pages import ROOT, blocks, code_blocks

from paddleprune.plain_yaml import parse_yaml
from paddleprune.sensitivity import SensitivityTable


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the data that the docs speak of."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 16), ("val", 4)):
        for label, kind in enumerate(("circle", "square")):
            folder = tmp_path / "shapes" / split / kind
            folder.mkdir(parents=True)
            for i in range(count):
                image = generator.integers(0, 60, (72, 72, 3), dtype=np.uint8)
                (cv2.circle, cv2.rectangle)[label](image, (36, 36), (20, (60, 60))[label], (200, 220, 180), -1)
                cv2.imwrite(str(folder / f"{i}.png"), image)
    roads(tmp_path / "roads", generator)
    signs(tmp_path / "signs", generator)
    return tmp_path


def roads(folder: Path, generator: np.random.Generator) -> None:
    """Eight images to train on and two to evaluate, with masks: a bright stripe, that is a road."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    lines = []
    for number in range(10):
        image, mask = generator.integers(0, 60, (80, 96, 3), dtype=np.uint8), np.zeros((80, 96), np.uint8)
        left = int(generator.integers(0, 70))
        image[:, left : left + 24], mask[:, left : left + 24] = 200, 1
        for kind, pixels in (("images", image), ("masks", mask)):
            cv2.imwrite(str(folder / kind / f"{number}.png"), pixels)
        lines.append(f"images/{number}.png masks/{number}.png\n")
    (folder / "train_list.txt").write_text("".join(lines[:8]))
    (folder / "val_list.txt").write_text("".join(lines[8:]))
    (folder / "labels.txt").write_text("ground\nroad\n")


def signs(folder: Path, generator: np.random.Generator) -> None:
    """Eight images to train on and two to evaluate, with VOC's annotations: a yellow square, that is a stop sign."""
    for kind in ("images", "boxes"):
        (folder / kind).mkdir(parents=True)
    lines = []
    for number in range(10):
        image, side = generator.integers(0, 60, (64, 64, 3), dtype=np.uint8), 20 + number
        left, top = generator.integers(0, 64 - side, 2).tolist()
        image[top : top + side, left : left + side] = (60, 200, 230)
        cv2.imwrite(str(folder / f"images/{number}.png"), image)
        corners = {"xmin": left + 1, "ymin": top + 1, "xmax": left + side, "ymax": top + side}
        box = "".join(f"<{name}>{value}</{name}>" for name, value in corners.items())
        (folder / f"boxes/{number}.xml").write_text(
            "<annotation><size><width>64</width><height>64</height></size>"
            f"<object><name>stop</name><bndbox>{box}</bndbox></object></annotation>"
        )
        lines.append(f"images/{number}.png boxes/{number}.xml\n")
    (folder / "train_list.txt").write_text("".join(lines[:8]))
    (folder / "val_list.txt").write_text("".join(lines[8:]))
    (folder / "labels.txt").write_text("stop\n")


def run(command: list[str], place: Path) -> str:
    """What a command prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


COMMANDS = """
import sys
from paddleprune.cli import main

for number, line in enumerate(sys.stdin):
    sys.argv = line.split()
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            print(f"command {number} ended with {ended.code}", file=sys.stderr)
"""
"""A process that takes commands line by line, so that Paddle is imported once for all."""


def run_all(commands: list[str], place: Path) -> None:
    """Run commands one after the other. Only INT8 may be refused, with a line that says so."""
    pipes: dict[str, Any] = {"cwd": place, "capture_output": True, "text": True, "check": False}
    done = subprocess.run([sys.executable, "-c", COMMANDS], input="\n".join(commands), **pipes)
    ended = [int(number) for number in re.findall(r"^command (\d+) ended with", done.stderr, flags=re.MULTILINE)]
    refused = "\nerror: INT8 " in done.stderr and "nothing was written" in done.stderr
    expected = [number for number in ended if refused and " quantize " in commands[number]]
    assert (done.returncode, ended) == (0, expected), f"{[commands[n] for n in ended]}\n{done.stderr}"


GUIDE = {
    "Segmentation": ("output/unet_prune/plan.json", "output/masks/0.png"),
    "Detection": ("output/yolov3/best_model", "output/boxes/0.png"),
    "the rest": ("mobilenetv2.sensi.png", "output/mobilenetv2_prune/plan.json", "output/inference/model.json"),
}
"""Sections of the guide that stand alone -> what their commands leave."""


@pytest.mark.parametrize("part", GUIDE)
def test_the_guide(part: str, place: Path) -> None:
    for name, run_file in zip(("masks.yaml", "signs.yaml", "run.yaml"), blocks("docs/guide.md", "yaml"), strict=True):
        (place / name).write_text(run_file)
    sections = re.split("^(?=## )", (ROOT / "docs/guide.md").read_text(), flags=re.MULTILINE)
    alone = {title: text for title in GUIDE for text in sections if text.startswith(f"## {title}\n")}
    text = alone.get(part) or "".join(section for section in sections if section not in alone.values())
    commands = [line for block in code_blocks(text, "bash") for line in block.splitlines()]
    assert len(commands) >= 2
    assert all(command.startswith("paddleprune ") for command in commands)
    run_all(commands, place)
    for name in GUIDE[part]:
        assert (place / name).exists()


@pytest.mark.parametrize("number", range(len(blocks("docs/python.md", "python"))))
def test_the_python_page(number: int, place: Path) -> None:
    (place / "snippet.py").write_text(blocks("docs/python.md", "python")[number])
    run([sys.executable, "snippet.py"], place)


def test_the_scale_page(place: Path) -> None:
    """Two jobs in the place of eight, one as SLURM starts it and one as Kubernetes does, and the whole of the two."""
    model, options = place / "output/mobilenetv2/best_model", {"num_classes": 2, "input_size": 28}
    write_checkpoint(model, "classification", "lenet", options, labels=("circle", "square"))
    slurm, merge, ray = blocks("docs/scale.md", "bash")
    (job,) = (parse_yaml(text) for text in blocks("docs/scale.md", "yaml"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    script = container["args"][0].replace("--workers 4", "--workers 1")
    run(["env", "SLURM_ARRAY_TASK_ID=1", "SLURM_CPUS_PER_TASK=1", "bash", "-c", slurm.replace("/8 ", "/2 ")], place)
    run(["env", "JOB_COMPLETION_INDEX=1", *container["command"], script.replace("/8 ", "/2 ")], place)
    run(["bash", "-c", merge], place)
    groups = SensitivityTable.load(place / "mobilenetv2.sensi.json").groups
    assert len(groups) >= 2
    assert all(groups.values())
    if find_spec("ray") is None:
        done = subprocess.run(
            [sys.executable, "-m", *ray.split()], cwd=place, capture_output=True, text=True, check=False
        )
        assert "--executor ray needs the module 'ray', which is not installed" in done.stderr


def test_the_graph_page(tmp_path: Path) -> None:
    """Every program runs, in one process; the first one prints the explanation that the page shows."""
    programs = blocks("docs/graph.md", "python")
    assert len(programs) >= 5
    for number, program in enumerate(programs):
        (tmp_path / f"part_{number}.py").write_text(program)
    (tmp_path / "all.py").write_text("".join(f"import part_{n}\n" for n in range(len(programs))))
    printed = run([sys.executable, "all.py"], tmp_path)
    (shown,) = blocks("docs/graph.md", "text")
    assert shown in printed


def test_the_plugin_page_s_plugin_passes_its_own_suite(tmp_path: Path) -> None:
    """The one-page plugin, as if installed, and the page's test of it."""
    programs = blocks("docs/plugins.md", "python")
    plugin = next(program for program in programs if "plain_cnn" in program and "register_families" in program)
    suite = next(program for program in programs if "FamilyConformance" in program)
    (tmp_path / "paddleprune_plain").mkdir()
    (tmp_path / "paddleprune_plain" / "__init__.py").write_text(plugin)
    (tmp_path / "test_plain.py").write_text(suite)
    install(tmp_path, "paddleprune-plain", "plain", "paddleprune_plain")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_plain.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout
