"""What `new-plugin` writes passes its own tests as it is, and the page shows it word for word."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from command import run
from installed import install
from pages import blocks

import paddleprune
from paddleprune.errors import ConfigError

toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
NAMES = {"plain_cnn": "family", "melodies": "task"}


def written(name: str, kind: str, folder: Path) -> Path:
    """A plugin by the command line, and as if pip had installed it in place."""
    done = run("new-plugin", name, "--kind", kind, "--save-dir", folder)
    assert done.stdout.splitlines()[-1] == f"next: pip install -e {folder} && pytest {folder}"
    project = toml.loads((folder / "pyproject.toml").read_text())["project"]
    ((point, target),) = project["entry-points"]["paddleprune"].items()
    install(folder, project["name"], point, target, project["version"])
    return folder


def test_it_passes_its_own_tests(tmp_path: Path) -> None:
    folders = [written(name, kind, tmp_path / name) for name, kind in NAMES.items()]
    path = os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, folders)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stdout
    assert "15 passed" in done.stdout  # six of each family, three of the task


@pytest.mark.parametrize(("name", "kind"), [("plain_cnn", "family"), ("tones", "task")])
def test_the_page_shows_it(name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paddleprune.api.new_plugin._check_name", lambda *_: None)  # tones is installed here
    module = paddleprune.new_plugin(name, kind=kind, save_dir=tmp_path / name)
    shown = {*blocks("docs/plugins.md", "python"), *blocks("docs/plugins.md", "toml")}
    assert module.read_text() in shown
    assert (tmp_path / name / f"tests/test_{name}.py").read_text() in shown
    if kind == "family":
        assert (tmp_path / name / "pyproject.toml").read_text() in shown


def test_a_folder_that_holds_something_stays(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="is not empty; choose another save_dir"):
        paddleprune.new_plugin("fresh", kind="task", save_dir=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]
