"""Every command and every program in the docs runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


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
    return tmp_path


def run(command: list[str], place: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_guide(place: Path) -> None:
    (run_file,) = blocks("docs/guide.md", "yaml")
    (place / "run.yaml").write_text(run_file)
    commands = [line for block in blocks("docs/guide.md", "bash") for line in block.splitlines()]
    assert len(commands) >= 12
    for command in commands:
        assert command.startswith("paddleprune ")
        run(command.split(), place)
    for name in ("mobilenetv2.sensi.png", "output/mobilenetv2_prune/plan.json", "output/inference/model.json"):
        assert (place / name).exists()


@pytest.mark.parametrize("number", range(len(blocks("docs/python.md", "python"))))
def test_the_python_page(number: int, place: Path) -> None:
    (place / "snippet.py").write_text(blocks("docs/python.md", "python")[number])
    run([sys.executable, "snippet.py"], place)
