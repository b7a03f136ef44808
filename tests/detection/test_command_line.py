"""The main job by the command line, in processes of its own."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from command import run
from det_files import draw, write_voc
from images import write

from paddleprune.api.demo import draw_both
from paddleprune.api.loading import evaluation_of, open_model
from paddleprune.registry import Registry

ANCHORS = [[10, 10], [13, 13], [15, 15], [17, 17], [19, 19], [21, 21], [32, 32], [40, 40], [48, 48]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images, which are evaluated, too: what is learnt by heart is found."""
    folder = write_voc(tmp_path_factory.mktemp("data"), train=8)
    (folder / "val_list.txt").write_text((folder / "train_list.txt").read_text())
    return folder


@pytest.fixture(scope="module")
def dense(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dense")
    lists = {"data_dir": str(data), "label_list": str(data / "labels.txt")}
    steps = [{"name": "Resize", "target_size": [48, 64]}, {"name": "Normalize"}]
    said = {
        "model": "yolov3_mobilenet_v1",
        "options": {"input_size": [48, 64], "scale": 0.25, "anchors": ANCHORS},
        "train_dataset": {**lists, "file_list": str(data / "train_list.txt"), "transforms": steps},
        "eval_dataset": {**lists, "file_list": str(data / "val_list.txt"), "transforms": steps},
        "save_dir": str(folder),
    }
    (folder / "discs.yaml").write_text(yaml.safe_dump(said))
    settings = ("--num-epochs", 100, "--save-interval-epochs", 100, "--train-batch-size", 8, "--learning-rate", 0.02)
    schedule = ("--lr-schedule", "cosine", "--warmup-steps", 10)
    done = run("train", "detection", "--config", folder / "discs.yaml", *settings, *schedule)
    assert f"best model: {folder / 'best_model'}" in done.stdout
    return folder / "best_model"


def test_the_main_job(data: Path, dense: Path, tmp_path: Path) -> None:
    """Analyze, prune and retrain, evaluate; each step takes what the one before left."""
    table, pruned = tmp_path / "table.json", tmp_path / "pruned"
    run("analyze", dense, "--data", data, "--save-file", table, "--ratios", "0.3", "--batch-size", 8)
    assert json.loads(table.read_text())["identity"]["metric"] == "bbox_map"
    prune = ("--pretrain-weights", dense, "--sensitivities-file", table, "--eval-metric-loss", 0.5)
    short = ("--num-epochs", 2, "--train-batch-size", 4, "--learning-rate", 0.001)
    done = run("train", "detection", "--data", data, "--save-dir", pruned, *short, *prune)
    assert "certificate: masked and shrunk outputs differ by at most" in done.stderr
    plan = json.loads((pruned / "plan.json").read_text())
    assert plan["after"]["parameters"] < plan["before"]["parameters"]
    values = dict(line.split() for line in run("evaluate", pruned / "best_model", "--data", data).stdout.splitlines())
    assert {"bbox_map", "bbox_map_50", "ap_disc", "ap_box"} == set(values)


def test_a_prediction_sees_what_the_evaluation_sees(data: Path, dense: Path) -> None:
    """The same numbers, colours in the same order."""
    registry = Registry.discover()
    loaded = open_model(registry, dense)
    evaluation = evaluation_of(registry, loaded, str(data))
    predictor = registry.build_predictor("detection", loaded.options, loaded.info.labels, loaded.info.transforms)
    (seen,), _ = evaluation.dataset[0]
    image = predictor.read(data / "JPEGImages" / "train_0.png")
    np.testing.assert_array_equal(predictor.prepare(image)[0], seen)


def test_predictions_of_an_image_and_of_a_folder(data: Path, dense: Path, tmp_path: Path) -> None:
    image, boxes, classes = draw(3)
    large = cv2.resize(image, (128, 144), interpolation=cv2.INTER_NEAREST)  # twice as wide, three times as high
    file = write(tmp_path / "large" / "large.png", large)
    (result,) = map(json.loads, run("predict", dense, file, "--save-dir", tmp_path / "one").stdout.splitlines())
    assert (result["height"], result["width"]) == (144, 128)
    found = [entry for entry in result["objects"] if entry["score"] > 0.5]
    assert len(found) == len(boxes)
    for (left, top, right, bottom), kind in zip(boxes, classes, strict=True):
        wanted = np.array([2 * left, 3 * top, 2 * (right - left), 3 * (bottom - top)])
        distances = [float(np.abs(np.array(entry["bbox"]) - wanted).max()) for entry in found]
        nearest = found[int(np.argmin(distances))]
        assert min(distances) < 6
        assert (nearest["label"], nearest["label_id"]) == (("disc", "box")[kind], kind)
    picture = np.asarray(cv2.imread(str(tmp_path / "one" / "large.png")))
    assert picture.shape == large.shape
    assert (picture != large).any(axis=2).sum() > 100

    run("predict", dense, data / "JPEGImages", "--save-dir", tmp_path / "all")
    assert len(json.loads((tmp_path / "all" / "predictions.json").read_text())) == 10
    assert len(list((tmp_path / "all").glob("*.png"))) == 10


def test_both_models_of_a_demo_are_drawn_side_by_side(data: Path, dense: Path, tmp_path: Path) -> None:
    draw_both(dense, dense, data / "JPEGImages", tmp_path)
    picture = np.asarray(cv2.imread(str(min(tmp_path.glob("*.png")))))
    half = picture.shape[1] // 2
    assert np.array_equal(picture[:, :half], picture[:, half:])


def test_families_and_their_options_are_listed(tmp_path: Path) -> None:
    said = run("families", "detection").stdout
    assert "yolov3_darknet53" in said
    assert "anchors" in said
    words = ("--model", "yolov3_darknet35", "--data", ".", "--save-dir", tmp_path / "nowhere")
    refused = run("train", "detection", *words, code=2)
    assert not (tmp_path / "nowhere").exists()
    assert "did you mean 'yolov3_darknet53'" in refused.stderr
