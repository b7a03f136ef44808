"""PaddleX itself says of an image what `predict` does: `make test-paddlex`, which makes an environment with PaddleX.

`PADDLEX_PYTHON` names the interpreter of that environment.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from checkpoints import write_checkpoint

import paddleprune

PYTHON = os.environ.get("PADDLEX_PYTHON")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PYTHON is None, reason="PADDLEX_PYTHON names no interpreter; `make test-paddlex` does"),
]
SCRIPT = Path(__file__).with_name("px_predict.py")
LETTERBOX = [{"name": "Letterbox", "target_size": [160, 160]}, {"name": "Normalize"}]
CLASSIFIERS: dict[str, dict[str, Any]] = {"mobilenet_v2": {"scale": 0.35}, "resnet50": {"width": 16}}
SEGMENTERS: dict[str, dict[str, Any]] = {
    "pp_liteseg": {"scale": 0.25, "input_size": 128},
    "deeplabv3p_resnet50_vd": {"scale": 0.125, "input_size": (96, 160), "head_width": 32},
}
DETECTORS: dict[str, tuple[dict[str, Any], Any]] = {
    "ppyoloe_s": ({"input_size": (128, 160)}, None),
    "yolov3_darknet53": ({"input_size": (128, 160)}, None),
    "yolov3_mobilenet_v3_large": ({"input_size": 160}, LETTERBOX),
    "faster_rcnn_resnet34_fpn": ({"input_size": 128, "scale": 0.125, "proposals": 16}, None),
}


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sklearn.datasets import load_sample_images

    path = tmp_path_factory.mktemp("photo") / "china.png"
    cv2.imwrite(str(path), load_sample_images().images[0][:, :, ::-1])
    return path


def both(
    photo: Path, folder: Path, task: str, family: str, options: dict[str, Any], steps: Any, pruned: bool, **asked: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What PaddleX says of the exported checkpoint, and what `predict` does of the checkpoint."""
    checkpoint = write_checkpoint(folder / "it", task, family, options, steps, pruned=pruned)
    paddleprune.export(checkpoint, save_dir=folder / "out", format="paddlex")
    name = yaml.safe_load((folder / "out" / "inference.yml").read_text())["Global"]["model_name"]
    command = [PYTHON, SCRIPT, name, folder / "out", photo, folder / "said.npz", json.dumps(asked)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "said.npz")), paddleprune.predict(checkpoint, photo)[0]


@pytest.mark.parametrize("pruned", [False, True], ids=["dense", "pruned"])
@pytest.mark.parametrize("family", CLASSIFIERS)
def test_classes_and_probabilities(family: str, pruned: bool, photo: Path, tmp_path: Path) -> None:
    options = {"num_classes": 7, "input_size": 64, **CLASSIFIERS[family]}
    theirs, ours = both(photo, tmp_path, "classification", family, options, None, pruned)
    assert theirs["class_ids"][0].tolist() == [entry["label_id"] for entry in ours["top"]]
    assert theirs["label_names"].tolist() == [entry["label"] for entry in ours["top"]]
    np.testing.assert_allclose(theirs["scores"], [entry["score"] for entry in ours["top"]], atol=1e-4)
    assert np.ptp(theirs["scores"]) > 0.02


@pytest.mark.parametrize("pruned", [False, True], ids=["dense", "pruned"])
@pytest.mark.parametrize("family", SEGMENTERS)
def test_classes_of_pixels(family: str, pruned: bool, photo: Path, tmp_path: Path) -> None:
    """But for borders: PaddleX enlarges classes, `predict` scores."""
    options = {"num_classes": 5, **SEGMENTERS[family]}
    theirs, ours = both(photo, tmp_path, "segmentation", family, options, None, pruned)
    mask = cv2.imdecode(np.frombuffer(base64.b64decode(ours["mask"]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert theirs["pred"].shape == (1, *mask.shape)
    assert (theirs["pred"][0] == mask).mean() > 0.96
    assert len(ours["classes"]) > 1


@pytest.mark.parametrize("pruned", [False, True], ids=["dense", "pruned"])
@pytest.mark.parametrize("family", DETECTORS)
def test_objects(family: str, pruned: bool, photo: Path, tmp_path: Path) -> None:
    options, steps = DETECTORS[family]
    known = {"num_classes": 3, "scale": 0.25, "score_threshold": 1e-3, "max_objects": 50, **options}
    theirs, ours = both(photo, tmp_path, "detection", family, known, steps, pruned, threshold=0.0)
    boxes = np.array([entry["bbox"] for entry in ours["objects"]])
    boxes[:, 2:] += boxes[:, :2]
    whole = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # PaddleX drops what lies outside of the image
    scores, classes = (np.array([entry[key] for entry in ours["objects"]]) for key in ("score", "label_id"))
    mine, other = (
        sorted(zip(kinds, marks.round(3), map(tuple, places), strict=True), key=_by_score)
        for kinds, marks, places in (
            (classes[whole], scores[whole], boxes[whole]),
            (theirs["class_ids"], theirs["scores"], theirs["boxes"]),
        )
    )
    assert len(mine) == len(other) > 5
    assert _unmatched(mine, other) == []


def _by_score(entry: Any) -> Any:
    return -entry[1], entry[0], entry[2]


def _unmatched(mine: list[Any], other: list[Any]) -> list[Any]:
    """Objects that have no equal; order doesn't matter, since scores may be alike."""
    rest = list(other)
    alone = []
    for kind, score, box in mine:
        found = next(
            (
                i
                for i, (a, b, c) in enumerate(rest)
                if a == kind and abs(b - score) < 2e-3 and np.allclose(c, box, atol=0.2)
            ),
            None,
        )
        if found is None:
            alone.append((kind, score, box))
        else:
            rest.pop(found)
    return alone
