"""Networks learn, are pruned, train on, and find the same boxes elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from det_files import write_voc
from jobs import prune_and_retrain, run_exported

import paddleprune
from paddleprune.api.loading import open_model
from paddleprune.errors import DataError
from paddleprune.measure.evaluation import eager_forward
from paddleprune.registry import Registry
from paddleprune_detection.heads import Detections
from paddleprune_detection.predictor import ObjectPredictor
from paddleprune_detection.reading import head_of

ANCHORS = ((10, 10), (13, 13), (15, 15), (17, 17), (19, 19), (21, 21), (32, 32), (40, 40), (48, 48))
SMALL = {"input_size": (48, 64), "scale": 0.25}
LARGER = {"input_size": (96, 128)}
TWO_STAGE = ("faster_rcnn_resnet18_fpn", {**LARGER, "proposals": 40})


def steps(size: tuple[int, int]) -> list[dict[str, Any]]:
    """What an image goes through, without augmentation."""
    return [{"name": "Resize", "target_size": size}, {"name": "Normalize"}]


def fields(folder: Path, split: str, size: tuple[int, int] = (48, 64)) -> dict[str, Any]:
    """The data of a split."""
    lists = {"data_dir": folder, "file_list": folder / f"{split}_list.txt", "label_list": folder / "labels.txt"}
    return {**lists, "transforms": steps(size)}


@pytest.mark.parametrize(
    ("family", "more", "settings"),
    [
        ("yolov3_mobilenet_v1", {"anchors": ANCHORS}, {"loss": {"box": "giou"}, "metric": {"kind": "voc"}}),
        pytest.param("yolov3_mobilenet_v1", {"anchors": ANCHORS}, {}, marks=pytest.mark.slow),
        pytest.param("ssd_mobilenet_v1", {"smallest": 0.25}, {"num_epochs": 150}, marks=pytest.mark.slow),
        pytest.param("fcos_resnet18", {"scale": 0.125}, {}, marks=pytest.mark.slow),
        pytest.param(
            "ppyoloe_s",
            LARGER,
            {"num_epochs": 400, "learning_rate": 0.01, "warmup_steps": 60},
            marks=pytest.mark.slow,
        ),
        pytest.param(*TWO_STAGE, {"num_epochs": 200, "learning_rate": 0.01}, marks=pytest.mark.slow),
    ],
)
def test_eight_images_are_learnt_by_heart(
    family: str, more: dict[str, Any], settings: dict[str, Any], tmp_path: Path
) -> None:
    options = {**SMALL, **more}
    data = fields(write_voc(tmp_path, train=8), "train", options["input_size"])
    usual = {"num_epochs": 100, "train_batch_size": 8, "learning_rate": 0.02, "warmup_steps": 10}
    usual.update(settings)
    result = paddleprune.train(
        "detection",
        model=family,
        options=options,
        train_dataset=data,
        eval_dataset=data,
        save_dir=tmp_path / "out",
        lr_schedule="cosine",
        save_interval_epochs=usual["num_epochs"],
        **usual,
    )
    name = "voc_map" if "metric" in settings else "bbox_map_50"
    assert result.metrics[name] > 0.95


def check_same(got: list[Detections], expected: list[Detections]) -> None:
    """The same boxes, but for rounding; their order is that of scores, of which some may be nearly equal."""
    for a, b in zip(got, expected, strict=True):
        assert len(a.scores) == len(b.scores) > 0
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)
        order_a, order_b = (np.lexsort((*d.boxes.round(1).T, d.classes)) for d in (a, b))
        assert a.classes[order_a].tolist() == b.classes[order_b].tolist()
        np.testing.assert_allclose(np.sort(a.boxes, axis=0), np.sort(b.boxes, axis=0), atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "more", "settings"),
    [
        ("yolov3_mobilenet_v1", {"anchors": ANCHORS}, {"num_epochs": 30, "learning_rate": 0.02}),
        (*TWO_STAGE, {"num_epochs": 60, "learning_rate": 0.01}),
    ],
)
def test_a_pruned_network_trains_on_and_finds_the_same_boxes_elsewhere(
    family: str, more: dict[str, Any], settings: dict[str, Any], tmp_path: Path
) -> None:
    """Of Faster R-CNN, too, whose second stage looks where its first one says: the whole of it is traced."""
    options = {**SMALL, **more}
    height, width = options["input_size"]
    data = fields(write_voc(tmp_path / "data", train=8, val=4), "train", (height, width))
    said = {"train_batch_size": 4, "warmup_steps": 8, **settings, "save_interval_epochs": settings["num_epochs"]}
    pruned = prune_and_retrain("detection", family, options, data, "bbox_map", tmp_path, **said).pruned
    loaded = open_model(Registry.discover(), pruned.best_model)
    head = head_of(loaded.options.model_copy(update={"score_threshold": 0.001, "max_objects": 10}))
    image = np.random.default_rng(0).standard_normal((2, 3, height, width)).astype(np.float32)
    expected = head.decode(eager_forward(loaded.layer)((image,)))
    paddleprune.export(pruned.best_model, save_dir=tmp_path / "exported")
    check_same(head.decode(run_exported(tmp_path / "exported" / "model", image)), expected)
    # and as Paddle saves and loads it itself
    spec = [paddle.static.InputSpec([None, 3, height, width], "float32")]
    paddle.jit.save(loaded.layer, str(tmp_path / "saved"), input_spec=spec)
    saved = paddle.jit.load(str(tmp_path / "saved"))
    check_same(head.decode(eager_forward(saved)((image,))), expected)


def test_a_model_that_has_diverged_is_told(tmp_path: Path) -> None:
    registry = Registry.discover()
    options = registry.options("detection", "yolov3_mobilenet_v1", {"num_classes": 2, "anchors": ANCHORS, **SMALL})
    predictor = ObjectPredictor(options, ["disc", "box"], steps((48, 64)))
    outputs = tuple(np.full((21, *grid), np.nan, np.float32) for grid in ((2, 2), (3, 4), (6, 8)))
    with pytest.raises(DataError, match="not finite numbers; it has diverged"):
        predictor.interpret(outputs, np.zeros((48, 64, 3), np.uint8))
