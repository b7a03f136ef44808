"""What every command has: help, completion, a stdout that can be piped, one line for what can't be used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from paddleprune import console
from paddleprune.cli import main
from paddleprune.cli.app import app

COMMANDS = (
    *(
        "sample-data",
        "train",
        "analyze",
        "prune",
        "import-table",
        "import-weights",
        "merge",
        "visualize",
        "compare",
        "latency",
        "evaluate",
        "predict",
    ),
    *(
        "explain",
        "export",
        "quantize",
        "front",
        "report",
        "demo",
        "tasks",
        "families",
        "plugins",
        "new-plugin",
        "doctor",
    ),
)


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "paddleprune", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """`refused(words)`: the one line with which the command line ends, in this process."""

    def call(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["paddleprune", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        said = capsys.readouterr()
        (line,) = (line for line in said.err.splitlines() if line.startswith("error: "))
        assert not said.out
        return line

    yield call
    console.spelling(str)


def test_h_is_help_everywhere() -> None:
    runner = CliRunner()
    assert len(app.registered_commands) == len(COMMANDS)
    for words in ((), *((command,) for command in COMMANDS)):
        short, long = (runner.invoke(app, [*words, flag]) for flag in ("-h", "--help"))
        assert short.exit_code == 0, short.output
        assert short.output == long.output
        assert "-h, --help" in short.output


def test_completion() -> None:
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # tests may run below make's sh, which has none
    assert "_PADDLEPRUNE_COMPLETE" in run("--show-completion", "bash", **named).stdout
    found = run(
        _PADDLEPRUNE_COMPLETE="complete_bash", COMP_WORDS="paddleprune train classification --save-i", COMP_CWORD="3"
    )
    assert found.stdout.split() == ["--save-interval-epochs"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("train", "classification"),
            "say where the data is: --data DIR; or its fields in a run file, with --config FILE",
        ),
        (("train", "classification", "--data", "{tmp}"), "say which model to train: --model, a family's name"),
        (("train", "classification", "--data", "~/no", "--model", "lenet"), "{home}/no does not exist"),
        (("train", "classification", "--config", "~/no.yaml"), "the run file {home}/no.yaml does not exist"),
        (
            ("compare", "x", "--data", "y", "--runtime", "paddle,openvino", "--runtime", "trt"),
            "--runtime, entry 3 must be 'paddle', 'onnxruntime', 'openvino' or 'all', not 'trt'",
        ),
        (("analyze", "x", "--data", "y", "--time-budget", "10min"), "--time-budget must be a time such as"),
        (("analyze", "~/x", "--data", "y"), "{home}/x does not exist"),
        (("visualize", "~/t.json", "--model", "x"), "{home}/t.json does not exist"),
        (("import-table", "~/t.data", "--model", "x"), "{home}/t.data does not exist"),
        (("predict", "~/x", "y"), "{home}/x does not exist"),
        (("predict", "x", "y", "--device", "tpu"), "--device must be auto, cpu, gpu or gpu:N, not 'tpu'"),
        (("export", "x", "--save-dir", "y", "--format", "onx"), "unknown --format 'onx'; did you mean 'onnx'?"),
        (
            ("export", "x", "--save-dir", "y", "--opset", "17"),
            "--opset is 17; it goes with --format onnx, and is 11 to 21",
        ),
        (
            ("export", "x", "--save-dir", "y", "--model-name", "ResNet50"),
            "--model-name is 'ResNet50'; it goes with --format paddlex alone",
        ),
        (("explain", "classification"), "say which family of classification to explain: --model;"),
        (("demo", "--save-dir", "{tmp}"), "choose another --save-dir"),
        (("demo", "--save-dir", "{tmp}/thesis.txt"), "thesis.txt is a file; choose another --save-dir"),
        (("sample-data", "signs", "--save-dir", "x"), "no plugin registers the task 'signs'"),
        (("sample-data", "detection", "--save-dir", "{tmp}"), "{tmp} is not empty; choose another --save-dir"),
        (("new-plugin", "resnet18", "--kind", "family", "--save-dir", "x"), "the name 'resnet18' is taken: "),
        (("new-plugin", "Wave-Net", "--kind", "task", "--save-dir", "x"), "the name 'Wave-Net' must be letters, "),
        (("new-plugin", "wave", "--kind", "tsk", "--save-dir", "x"), "unknown kind 'tsk'; did you mean 'task'?"),
        (("explain", "x", "--options", "a=1"), "leave --options out, or give a task and a --model"),
        (("explain", "classification", "--model", "no"), "no family 'no'; `paddleprune families classification` lists"),
    ],
)
def test_one_line_in_the_words_of_the_command_line(
    words: tuple[str, ...],
    line: str,
    tmp_path: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    places = {"tmp": str(tmp_path), "home": str(tmp_path / "home")}
    assert line.format(**places) in refused(*(word.format(**places) for word in words))


def test_a_run_file_s_fields_keep_their_names(tmp_path: Path, refused: Callable[..., str]) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("num_epochs: 0\nsave_dir: out\n")
    words = ("train", "classification", "--config", file)
    place = f"error: bad setting of the run file {file}"
    assert refused(*words) == f"{place}: `num_epochs` must be at least 1, not 0"
    assert refused(*words, "--num-epochs", -1) == "error: bad setting of train: --num-epochs must be at least 1, not -1"
    file.write_text("num_epoch: 2\n")
    assert "unknown setting 'num_epoch'" in refused(*words)


def test_native_code_does_not_reach_stdout() -> None:
    """What libraries print from C goes to stderr; what the command prints, and nothing else, to stdout."""
    noise = "import os, ctypes; os.write(1, b'ReduceMean\\n'); ctypes.CDLL(None).puts(b'from C'); "
    start = "from paddleprune.cli.streams import clean_stdout"
    program = f"{start}\nwith clean_stdout(): {noise} print('result')\nprint('after')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["result", "after"]
    assert "ReduceMean" in done.stderr
    assert "ReduceMean" not in done.stdout


def test_a_full_disk_behind_stdout_is_one_line() -> None:
    command = [sys.executable, "-m", "paddleprune", "tasks"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: cannot write to stdout: no space left on device\n"
