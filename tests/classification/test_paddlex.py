"""A classifier's folder for PaddleX says what its steps do, and gives probabilities; what can't be said is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from checkpoints import write_checkpoint
from command import run
from families import known

import paddleprune
from paddleprune.errors import ConfigError
from paddleprune.runtimes.inference import create_predictor

SMALL = {"num_classes": 4, "input_size": (32, 24), "scale": 0.25}
RESIZE = {"name": "Resize", "target_size": [40, 30]}
SHORT = {"name": "ResizeByShort", "short_size": 40}
CROP = {"name": "CenterCrop", "crop_size": [32, 24]}
NORMALIZE = {"name": "Normalize"}


def exported(folder: Path, *steps: dict[str, Any], family: str = "mobilenet_v2", **more: Any) -> dict[str, Any]:
    """What `inference.yml` says of a checkpoint with such steps."""
    options = known(paddleprune.families("classification")[family], {**SMALL, **more.pop("options", {})})
    checkpoint = write_checkpoint(folder / "checkpoint", "classification", family, options, steps or None)
    paddleprune.export(checkpoint, save_dir=folder / "out", format="paddlex", **more)
    config: dict[str, Any] = yaml.safe_load((folder / "out" / "inference.yml").read_text())
    return config


def test_the_command_line_leaves_a_folder_that_is_proved(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "it", "classification", "mobilenet_v2", SMALL, pruned=True)
    done = run("export", checkpoint, "--save-dir", tmp_path / "out", "--format", "paddlex")
    names = ["inference.json", "inference.pdiparams", "inference.yml", "export.json"]
    assert [Path(line).name for line in done.stdout.split()] == names
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (record["files"], record["inputs"][0]["name"], record["choice"]) == (names[:3], "x", None)
    assert max(record["proof"]["probe"]["differences"].values()) <= record["proof"]["tolerance"]


def test_sizes_are_width_and_height_and_one_value_is_three(tmp_path: Path) -> None:
    config = exported(tmp_path, RESIZE, CROP, {**NORMALIZE, "mean": [0.4], "std": [0.2]})
    assert config["Global"] == {"model_name": "MobileNetV2_x1_0"}
    numbers = {"mean": [0.4] * 3, "std": [0.2] * 3, "channel_num": 3, "order": ""}
    assert config["PreProcess"]["transform_ops"] == [
        {"ResizeImage": {"size": [30, 40]}},
        {"CropImage": {"size": [24, 32]}},
        {"NormalizeImage": numbers},
        {"ToCHWImage": None},
    ]
    assert config["PostProcess"]["Topk"] == {"topk": 4, "label_list": [f"class {n}" for n in range(4)]}


def test_what_comes_out_is_the_network_s_input(tmp_path: Path) -> None:
    """Also where the steps make another size than the family's options say."""
    config = exported(tmp_path, SHORT, {**CROP, "crop_size": [40, 40]}, NORMALIZE)
    assert config["PreProcess"]["transform_ops"][0] == {"ResizeImage": {"resize_short": 40}}
    (given,) = json.loads((tmp_path / "out" / "export.json").read_text())["inputs"]
    assert given["shape"] == [None, 3, 40, 40]


@pytest.mark.parametrize(("channels", "atol"), [(3, 1e-5), (1, 0.02)])
def test_the_file_gives_the_predictor_s_probabilities(channels: int, atol: float, tmp_path: Path) -> None:
    """Of a grey network, too; there pixels are rounded at other places."""
    mean, std = ([0.5], [0.25]) if channels == 1 else ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    steps = RESIZE, {**NORMALIZE, "mean": mean, "std": std}
    exported(tmp_path, *steps, family="resnet18_vd", options={"input_channels": channels})
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    image = cv2.GaussianBlur(image, (9, 9), 0)
    cv2.imwrite(str(tmp_path / "image.png"), image)
    pixels = cv2.resize(image[:, :, ::-1], (30, 40)).astype(np.float32) / 255
    predictor = create_predictor(tmp_path / "out" / "inference", onednn=False)
    given = predictor.get_input_handle("x")
    given.copy_from_cpu(np.ascontiguousarray(((pixels - mean) / std).astype(np.float32).transpose(2, 0, 1)[None]))
    predictor.run()
    (got,) = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
    assert got.sum() == pytest.approx(1, abs=1e-5)
    (said,) = paddleprune.predict(tmp_path / "checkpoint", tmp_path / "image.png")
    for entry in said["top"]:
        assert got[entry["label_id"]] == pytest.approx(entry["score"], abs=atol)
    assert got.std() > 0.01


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([CROP, NORMALIZE], "crops before it resizes"),
        ([NORMALIZE], "doesn't resize"),
        ([RESIZE, SHORT, NORMALIZE], "is more than a resize and a crop: Resize, ResizeByShort"),
        ([SHORT, NORMALIZE], "makes images of many sizes: ResizeByShort without CenterCrop"),
        ([{**SHORT, "max_size": 60}, CROP, NORMALIZE], "limits the longer side to 60"),
        ([RESIZE, {"name": "RandomHorizontalFlip"}, NORMALIZE], "is random in RandomHorizontalFlip"),
        ([RESIZE, CROP], "doesn't end in Normalize"),
    ],
)
def test_steps_that_paddlex_lacks_are_refused_by_name(steps: list[dict[str, Any]], why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=why):
        exported(tmp_path, *steps)
    assert not (tmp_path / "out").exists()


def test_a_family_that_paddlex_lacks_asks_for_a_name(tmp_path: Path) -> None:
    steps = {"name": "Resize", "target_size": [28, 28]}, NORMALIZE | {"mean": [0.5], "std": [0.5]}
    with pytest.raises(ConfigError, match=r"PaddleX has no model like the family 'lenet'; .*`model_name`"):
        exported(tmp_path, *steps, family="lenet", options={"input_size": 28})
    with pytest.raises(ConfigError, match="lenet"):
        paddleprune.export(tmp_path / "checkpoint", save_dir=tmp_path / "out", format="paddlex")
    config = exported(tmp_path, *steps, family="lenet", options={"input_size": 28}, model_name="ResNet18")
    assert config["Global"] == {"model_name": "ResNet18"}
