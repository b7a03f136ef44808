"""Bad input by the command line: one line that names the value and the place, exit code 2, nothing lost."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import SHORT, SMALL, run

import paddleprune
from paddleprune.errors import CheckpointError
from paddleprune.registry import Registry
from paddleprune.signed import digest_of
from paddleprune.training import load_model
from paddleprune.training.checkpoint import save_checkpoint

NET = ("--model", "mobilenet_v2", *SMALL)


def refused(*words: object) -> str:
    """The one line of the error."""
    lines = [line for line in run(*words, code=2).stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, lines
    return lines[0]


def lists(folder: Path, data: Path) -> Path:
    """The images of `data` in ImageNet layout."""
    for split, source in (("train", "train"), ("val", "val")):
        files = sorted((data / source).glob("*/*.png"))
        names = sorted({file.parent.name for file in files})
        lines = [f"{file} {names.index(file.parent.name)}" for file in files]
        (folder / f"{split}_list.txt").write_text("\n".join(lines) + "\n")
        (folder / "labels.txt").write_text("\n".join(names) + "\n")
    return folder


def edit(file: Path, number: int, line: str) -> None:
    lines = file.read_text().splitlines()
    lines[number] = line
    file.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nowhere/lost.png 1", "lost.png"),
        ("{image} 7", "7"),
        ("{image} one", "one"),
        ("{broken} 1", "broken.png"),
    ],
)
def test_a_bad_line_of_a_list(data: Path, tmp_path: Path, line: str, words: str) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG but not really")
    folder = lists(tmp_path, data)
    image = next((data / "train").glob("*/*.png"))
    edit(folder / "train_list.txt", 2, line.format(image=image, broken=broken))
    message = refused("train", "classification", *NET, "--data", folder, "--save-dir", tmp_path / "out", *SHORT)
    assert words in message
    assert "train_list.txt" in message
    assert "line 3" in message or ":3" in message
    assert not (tmp_path / "out" / "best_model").exists()


def test_an_empty_list(data: Path, tmp_path: Path) -> None:
    folder = lists(tmp_path, data)
    (folder / "train_list.txt").write_text("")
    assert "train_list.txt" in refused("train", "classification", *NET, "--data", folder, "--save-dir", tmp_path / "o")


def test_fewer_images_than_a_batch(data: Path, tmp_path: Path) -> None:
    message = refused(
        "train", "classification", *NET, "--data", data, "--save-dir", tmp_path / "o", "--train-batch-size", 99
    )
    assert "48" in message
    assert "99" in message


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--learning-rate", "nan"), ("--learning-rate", "nan")),
        (("--learning-rate", "-1"), ("--learning-rate", "-1")),
        (("--num-epochs", "0"), ("--num-epochs", "0")),
        (("--lr-decay-epochs", "6,4"), ("--lr-decay-epochs", "ascending")),
        (("--options", "scal=0.5"), ("unknown option 'scal'", "did you mean 'scale'")),
        (("--options", "scale"), ("--options", "name=value")),
        (("--eval-metric-loss", "-0.1"), ("--eval-metric-loss", "-0.1")),
        (("--eval-metric-loss", "5"), ("--eval-metric-loss", "5% is 0.05")),
        (("--device", "tpu"), ("--device", "tpu")),
        (("--config", "missing.yaml"), ("missing.yaml",)),
        (("--exclude", "features.0*"), ("exclude", "sensitivities-file")),
        (("--sensitivities-file", "t.json"), ("--pretrain-weights",)),
    ],
)
def test_a_bad_option(data: Path, tmp_path: Path, flags: tuple[str, ...], words: tuple[str, ...]) -> None:
    message = refused("train", "classification", *NET, "--data", data, "--save-dir", tmp_path / "o", *flags)
    assert all(word in message for word in words), message


def test_unknown_names(data: Path, tmp_path: Path) -> None:
    assert "did you mean 'classification'" in refused("families", "clasification")
    message = refused("train", "classification", "--model", "mobilenet_v22", "--data", data, "--save-dir", tmp_path)
    assert "did you mean 'mobilenet_v2'" in message
    (tmp_path / "run.yaml").write_text("num_epoch: 3\n")
    message = refused("train", "classification", *NET, "--data", data, "--config", tmp_path / "run.yaml")
    assert "did you mean 'num_epochs'" in message
    assert run("train", "classification", "--num-epoch", 3, code=2).stderr


def test_no_data_and_no_model(data: Path, tmp_path: Path) -> None:
    assert "--data" in refused("train", "classification", *NET)
    assert "model" in refused("train", "classification", "--data", data, "--save-dir", tmp_path / "o")
    assert str(tmp_path) in refused("train", "classification", *NET, "--data", tmp_path, "--save-dir", tmp_path / "o")


def test_checkpoints_that_are_none(data: Path, dense: Path, tmp_path: Path) -> None:
    assert "nowhere" in refused("evaluate", tmp_path / "nowhere", "--data", data)
    assert "nowhere" in refused(
        "prune", tmp_path / "nowhere", "--data", data, "--flops", 0.5, "--save-dir", tmp_path / "a" / "b"
    )
    assert not list(tmp_path.iterdir())
    truncated = tmp_path / "truncated"
    shutil.copytree(dense, truncated)
    weights = truncated / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "weights.safetensors" in refused("evaluate", truncated, "--data", data)
    other = tmp_path / "other"
    shutil.copytree(dense, other)
    info = {**json.loads((other / "checkpoint.json").read_text()), "task": "detection"}
    (other / "checkpoint.json").write_text(json.dumps(info))
    assert "edited" in refused("evaluate", other, "--data", data)
    (other / "checkpoint.json").write_text(json.dumps({**info, "sha256": digest_of(info)}))
    assert "detection" in refused("evaluate", other, "--data", data)
    words = ("--data", data, "--pretrain-weights", other, "--save-dir", tmp_path / "o")
    assert "detection" in refused("train", "classification", *words)


def test_a_table_of_another_model(data: Path, dense: Path, pruned: Path, table: Path, tmp_path: Path) -> None:
    words = ("--pretrain-weights", pruned, "--sensitivities-file", table, "--save-dir", tmp_path / "o")
    assert "other weights" in refused("train", "classification", "--data", data, *words)
    before = table.read_bytes()
    assert "another model" in refused("analyze", pruned, "--data", data, "--save-file", table)
    assert table.read_bytes() == before
    assert "other weights" in refused("visualize", table, "--model", pruned, "--save-dir", tmp_path)


def test_a_baseline_of_zero(data: Path, dense: Path, tmp_path: Path) -> None:
    folder = lists(tmp_path, data)
    right = (folder / "val_list.txt").read_text().splitlines()
    answers = json.loads(json.dumps(_predicted(dense, [line.split()[0] for line in right])))
    wrong = [f"{line.split()[0]} {(answer + 1) % 3}" for line, answer in zip(right, answers, strict=True)]
    (folder / "val_list.txt").write_text("\n".join(wrong) + "\n")
    message = refused("analyze", dense, "--data", folder, "--save-file", tmp_path / "t.json")
    assert "acc1 is 0" in message
    assert not (tmp_path / "t.json").exists()


def _predicted(model: Path, files: list[str]) -> list[int]:
    results = {}
    for folder in sorted({str(Path(file).parent) for file in files}):
        for line in run("predict", model, folder).stdout.splitlines():
            result = json.loads(line)
            results[result["file"]] = result["label_id"]
    return [results[file] for file in files]


def test_weights_that_are_no_numbers(data: Path, dense: Path, tmp_path: Path) -> None:
    loaded = load_model(dense, Registry.discover())
    weight = loaded.layer.features[0][0].weight
    weight.set_value(np.where(np.arange(weight.size).reshape(weight.shape) == 0, np.float32("inf"), weight.numpy()))
    save_checkpoint(tmp_path / "broken", loaded.layer, loaded.info)
    for call in (
        lambda: paddleprune.evaluate(tmp_path / "broken", eval_dataset=data),
        lambda: paddleprune.analyze(tmp_path / "broken", eval_dataset=data, save_file=tmp_path / "t.json"),
    ):
        with pytest.raises(CheckpointError, match=r"broken: features\.0\.0\.weight holds 1 NaN or infinite values"):
            call()
    assert not (tmp_path / "t.json").exists()


def test_what_explain_assumes_is_said() -> None:
    said = run("explain", "classification", "--model", "mobilenet_v2", "--options", "scale=0.25").stderr
    assert "mobilenet_v2 with num_classes=1000 input_size=224x224 input_channels=3" in said
    assert "scale" not in said


def test_other_classes_than_the_checkpoint(dense: Path, data: Path, tmp_path: Path) -> None:
    folder = lists(tmp_path, data)
    (folder / "labels.txt").write_text("circle\nsquare\nspirals\n")
    message = refused("evaluate", dense, "--data", folder)
    assert "'spirals'" in message
    assert "'stripes'" in message


def test_options_that_contradict_the_data_or_the_weights(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    words = ("train", "classification", "--data", data, "--save-dir", tmp_path / "o")
    assert "num_classes is 5, but" in refused(*words, *NET, "--options", "num_classes=5")
    prune = ("--pretrain-weights", dense, "--sensitivities-file", table)
    assert "leave the options out" in refused(*words, *prune, "--options", "scale=0.5")


def test_an_earlier_result_is_never_overwritten(data: Path, dense: Path) -> None:
    before = (dense / "weights.safetensors").read_bytes()
    message = refused("train", "classification", *NET, "--data", data, "--save-dir", dense.parent, *SHORT)
    assert "already holds another run: --num-epochs is 10, but was 3" in message
    assert (dense / "weights.safetensors").read_bytes() == before


def test_a_full_disk(data: Path, dense: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: writing fails half-way, as it does there."""
    before = (dense / "weights.safetensors").read_bytes()
    words = ["train", "classification", "--data", data, "--pretrain-weights", dense, "--save-dir", tmp_path / "o"]
    done = subprocess.run(
        [sys.executable, "-m", "paddleprune", *map(str, [*words, *SHORT, "--num-epochs", 1])],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )
    assert done.returncode == 2, done.stderr
    assert "error: cannot save" in done.stderr
    assert "Traceback" not in done.stderr
    assert (dense / "weights.safetensors").read_bytes() == before
    assert not list((tmp_path / "o").rglob("*.safetensors"))


def test_the_demo_never_removes_what_it_did_not_write(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "no demo left there" in refused("demo", "--save-dir", tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_machine_without_paddle(tmp_path: Path) -> None:
    """A finder that hides Paddle stands for a machine that lacks it."""
    hide = "import sys; sys.modules['paddle'] = None; import runpy; sys.argv[0] = 'paddleprune'; "
    for words, code in ((["tasks"], 0), (["evaluate", "x", "--data", "y"], 2), (["doctor"], 2)):
        program = f"{hide}sys.argv[1:] = {words!r}; runpy.run_module('paddleprune', run_name='__main__')"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        if code:
            assert "pip install 'paddleprune[cpu]'" in done.stdout + done.stderr
