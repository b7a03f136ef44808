"""Every command and every program in the docs runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from checkpoints import write_checkpoint
from pages import ROOT, blocks, code_blocks

from paddleprune import sample_data
from paddleprune.plain_yaml import parse_yaml
from paddleprune.sensitivity import SensitivityTable
from paddleprune.training import Asked


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the data that the docs speak of, as the commands of the guide write it."""
    for task, folder in (("classification", "shapes"), ("segmentation", "roads"), ("detection", "signs")):
        sample_data(task, save_dir=tmp_path / folder)
    return tmp_path


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
def test_the_guide(part: str, tmp_path: Path) -> None:
    for name, run_file in zip(("masks.yaml", "signs.yaml", "run.yaml"), blocks("docs/guide.md", "yaml"), strict=True):
        (tmp_path / name).write_text(run_file)
    sections = re.split("^(?=## )", (ROOT / "docs/guide.md").read_text(), flags=re.MULTILINE)
    alone = {title: text for title in GUIDE for text in sections if text.startswith(f"## {title}\n")}
    text = alone.get(part) or "".join(section for section in sections if section not in alone.values())
    commands = [line for block in code_blocks(text, "bash") for line in block.splitlines()]
    assert len(commands) >= 2
    assert all(command.startswith("paddleprune ") for command in commands)
    run_all(commands, tmp_path)
    for name in GUIDE[part]:
        assert (tmp_path / name).exists()


@pytest.mark.parametrize("number", range(len(blocks("docs/python.md", "python"))))
def test_the_python_page(number: int, place: Path) -> None:
    (place / "snippet.py").write_text(blocks("docs/python.md", "python")[number])
    run([sys.executable, "snippet.py"], place)


def test_the_scale_page(place: Path) -> None:
    """Two jobs in the place of eight, one as SLURM starts it and one as Kubernetes does, and the whole of the two.

    Paddle's launcher starts two ranks in the place of eight.
    """
    model, options = place / "output/mobilenetv2/best_model", {"num_classes": 2, "input_size": 28}
    write_checkpoint(model, "classification", "lenet", options, labels=("circle", "square"))
    slurm, merge, ray, ranks, machines = blocks("docs/scale.md", "bash")
    (job,) = (parse_yaml(text) for text in blocks("docs/scale.md", "yaml"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    script = container["args"][0].replace("--workers 4", "--workers 1")
    run(["env", "SLURM_ARRAY_TASK_ID=1", "SLURM_CPUS_PER_TASK=1", "bash", "-c", slurm.replace("/8 ", "/2 ")], place)
    run(["env", "JOB_COMPLETION_INDEX=1", *container["command"], script.replace("/8 ", "/2 ")], place)
    run(["bash", "-c", merge], place)
    groups = SensitivityTable.load(place / "mobilenetv2.sensi.json").groups
    assert len(groups) >= 2
    assert all(groups.values())
    launcher = "python -m paddle.distributed.launch --nnodes 2 --master HOST:8090 --nproc_per_node 4 "
    assert machines == launcher + ranks.replace("--ranks 4 ", "")
    here = launcher.replace("--nnodes 2 --master HOST:8090 --nproc_per_node 4", "--nproc_per_node 2")
    small = ranks.strip().replace("--ranks 4 ", "").replace("size 64", "size 8")
    run(["bash", "-c", f"{here} {small} --num-epochs 1 --device cpu"], place)
    asked = Asked.of(place / "output/mobilenetv2_half")
    assert asked is not None
    assert asked.settings.ranks == 2
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
