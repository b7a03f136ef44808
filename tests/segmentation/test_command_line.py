"""The main job, and every kind of bad data, by the command line: results, or one line and exit code 2."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from checkpoints import write_checkpoint
from command import run
from images import write
from seg_files import draw, write_folder

from paddleprune.api.demo import draw_both

NET = ("--model", "unet", "--options", "width=4", "--options", "depth=2", "--options", "input_size=32")
SHORT = ("--train-batch-size", 4, "--learning-rate", 0.05, "--num-epochs", 1)


def refused(*words: object) -> str:
    """The one line of the error."""
    lines = [line for line in run(*words, code=2).stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, lines
    return lines[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data"), train=8, val=4)


@pytest.fixture(scope="module")
def dense(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dense")
    done = run("train", "segmentation", *NET, "--data", data, "--save-dir", folder, *SHORT)
    assert f"best model: {folder / 'best_model'}" in done.stdout
    return folder / "best_model"


def test_the_main_job(data: Path, dense: Path, tmp_path: Path) -> None:
    """Analyze, prune and retrain, evaluate; each step takes what the one before left."""
    table, pruned = tmp_path / "table.json", tmp_path / "pruned"
    run("analyze", dense, "--data", data, "--save-file", table, "--ratios", "0.5", "--batch-size", 4)
    assert json.loads(table.read_text())["identity"]["metric"] == "miou"
    prune = ("--pretrain-weights", dense, "--sensitivities-file", table, "--eval-metric-loss", 0.5)
    done = run("train", "segmentation", "--data", data, "--save-dir", pruned, *SHORT, *prune)
    assert "certificate: masked and shrunk outputs differ by at most" in done.stderr
    plan = json.loads((pruned / "plan.json").read_text())
    assert plan["after"]["parameters"] < plan["before"]["parameters"]
    values = dict(line.split() for line in run("evaluate", pruned / "best_model", "--data", data).stdout.splitlines())
    assert {"miou", "acc", "kappa", "iou_ground", "iou_disc", "iou_box"} == set(values)


def test_predictions_of_a_folder_and_of_an_image(data: Path, dense: Path, tmp_path: Path) -> None:
    odd = write(tmp_path / "odd" / "odd.jpg", draw(5, size=(37, 51))[0])
    (result,) = map(json.loads, run("predict", dense, odd, "--save-dir", tmp_path / "one").stdout.splitlines())
    mask = cv2.imdecode(np.frombuffer(base64.b64decode(result["mask"]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (37, 51)
    assert {entry["label"] for entry in result["classes"]} <= {"ground", "disc", "box"}
    assert np.asarray(cv2.imread(str(tmp_path / "one" / "odd.png"))).shape == (37, 102, 3)
    run("predict", dense, data / "images", "--save-dir", tmp_path / "all")
    assert len(json.loads((tmp_path / "all" / "predictions.json").read_text())) == 12
    assert len(list((tmp_path / "all").glob("*.png"))) == 12


def test_images_of_five_bands(tmp_path: Path) -> None:
    """Trained on, evaluated and predicted; a picture of them is refused with what it lacks."""
    folder = write_folder(tmp_path / "bands", train=8)
    for file in sorted((folder / "images").glob("*.png")):
        bands = np.dstack([np.asarray(cv2.imread(str(file))), np.zeros((32, 48, 2), np.uint8)])
        np.save(file.with_suffix(".npy"), bands)
    picture = folder / "images" / "val_0.png"
    for split in ("train", "val"):
        lines = (folder / f"{split}_list.txt").read_text()
        (folder / f"{split}_list.txt").write_text(lines.replace(".png masks", ".npy masks"))
    run(
        "train", "segmentation", *NET, "--options", "input_channels=5", "--data", folder, "--save-dir", tmp_path, *SHORT
    )
    best = tmp_path / "best_model"
    assert "miou" in run("evaluate", best, "--data", folder).stdout
    (result,) = map(json.loads, run("predict", best, picture.with_suffix(".npy")).stdout.splitlines())
    assert (result["height"], result["width"]) == (32, 48)
    message = refused("predict", best, picture)
    assert "val_0.png has 3 channels, but the model reads 5" in message


def test_both_models_of_a_demo_are_drawn_side_by_side(data: Path, dense: Path, tmp_path: Path) -> None:
    """Two pictures of 96 pixels each, so large as fits into 1024; those that differ most come first."""
    options = {"width": 4, "depth": 2, "input_size": 32, "num_classes": 3}
    other = write_checkpoint(tmp_path / "other", "segmentation", "unet", options)
    draw_both(dense, other, data / "images", tmp_path)
    files = sorted(tmp_path.glob("*.png"))
    assert len(files) == 12
    pictures = [np.asarray(cv2.imread(str(file))) for file in files]
    assert pictures[0].shape == (32 * 5, 2 * 96 * 5, 3)
    apart = [np.not_equal(picture[:, :480], picture[:, 480:]).mean() for picture in pictures]
    assert apart == sorted(apart, reverse=True)
    assert apart[0] > apart[-1]


def broken(folder: Path, line: str = "images/train_0.png masks/bad.png") -> Path:
    """A folder whose third line is another one."""
    write_folder(folder, train=8)
    good = draw(0)[1]
    write(folder / "masks" / "bad.png", good)
    lines = (folder / "train_list.txt").read_text().splitlines()
    (folder / "train_list.txt").write_text("\n".join([*lines[:2], line, *lines[3:]]) + "\n")
    return folder


def training_refused(folder: Path) -> str:
    message = refused("train", "segmentation", *NET, "--data", folder, "--save-dir", folder / "out", *SHORT)
    assert not (folder / "out" / "best_model").exists()
    return message


GOOD = draw(0)[1]
MASKS = {
    "size": (GOOD[:20], "is 20x48, but its image is 32x48"),
    "beyond": (np.where(GOOD == 1, 7, GOOD).astype(np.uint8), "has value 7 at row"),
    "colours": (np.dstack([GOOD] * 3), "has 3 channels (colours)"),
}


@pytest.mark.parametrize("kind", MASKS)
def test_a_bad_mask(tmp_path: Path, kind: str) -> None:
    mask, words = MASKS[kind]
    folder = broken(tmp_path)
    write(folder / "masks" / "bad.png", mask)
    message = training_refused(folder)
    assert words in message
    assert "train_list.txt:3" in message
    assert "bad.png" in message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("images/train_0.png", "expected `image mask`"),
        ("images/train_0.png masks/nowhere.png", "nowhere.png does not exist"),
    ],
)
def test_a_bad_line(tmp_path: Path, line: str, words: str) -> None:
    message = training_refused(broken(tmp_path, line))
    assert words in message
    assert "train_list.txt:3" in message


def test_missing_lists_and_other_classes(dense: Path, data: Path, tmp_path: Path) -> None:
    assert "it needs train_list.txt" in training_refused(tmp_path)
    other = write_folder(tmp_path / "other")
    (other / "labels.txt").write_text("ground\ndisc\nbottle\n")
    message = refused("evaluate", dense, "--data", other)
    assert "'bottle'" in message
    assert "'box'" in message
    message = refused("train", "segmentation", "--model", "unett", "--data", data, "--save-dir", tmp_path / "o")
    assert "did you mean 'unet'" in message
