"""A criterion of the user's own, by the place of its function."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command import run

from paddleprune.api.scoring import named_function
from paddleprune.errors import ConfigError

MODULE = """
NUMBER = 3

def spread(parameter, filters):
    return filters.std(axis=1)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_scores_of_filters.py").write_text(MODULE)
    (tmp_path / "my_broken_scores.py").write_text("import nothing_of_that_name")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_a_function_is_found_in_the_current_directory(here: Path) -> None:
    function = named_function("my_scores_of_filters:spread")
    assert callable(function)
    assert function.__name__ == "spread"
    assert named_function("l1") is None


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("no_scores:spread", "there is no module 'no_scores' in the current directory or among what is installed"),
        ("my_scores_of_filters.sub:spread", "there is no module 'my_scores_of_filters.sub'|importing"),
        ("my_scores_of_filters:spraed", "has no 'spraed'; did you mean 'spread'"),
        ("my_scores_of_filters:NUMBER", "that is a int, not a function"),
        ("my_broken_scores:spread", "importing my_broken_scores fails: .*nothing_of_that_name"),
    ],
)
def test_what_cannot_be_imported(here: Path, place: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        named_function(place)


def test_an_unknown_criterion_is_one_line(tmp_path: Path) -> None:
    for command in ("analyze", "prune"):
        words = [sys.executable, "-m", "paddleprune", command, tmp_path, "--data", tmp_path, "--criterion", "l3"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert "--criterion must be " in line
        assert "taylor, obd or package.module:function, not 'l3'" in line


def test_a_run_file_names_no_code_and_no_cluster(tmp_path: Path) -> None:
    (tmp_path / "ran.py").write_text("raise SystemExit('it ran')")
    (tmp_path / "run.yaml").write_text("criterion: ran:scores\nflops: 0.5\n")
    words = ("prune", tmp_path, "--data", tmp_path, "--save-dir", tmp_path / "cut", "--config", tmp_path / "run.yaml")
    said = run(*words, code=2, cwd=tmp_path).stderr
    assert "names code, 'ran:scores': files run none; give --criterion as a flag" in said
    assert "it ran" not in said
    (tmp_path / "run.yaml").write_text("executor: ray\naddress: elsewhere:6379\n")
    said = run("analyze", tmp_path, "--data", tmp_path, "--config", tmp_path / "run.yaml", code=2, cwd=tmp_path).stderr
    assert "names a cluster, 'elsewhere:6379': files reach none; give --address as a flag" in said
