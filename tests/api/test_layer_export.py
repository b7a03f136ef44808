"""Any layer is exported as checkpoints are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from paddle import nn

import paddleprune
from paddleprune.errors import ConfigError


@pytest.fixture
def layer() -> nn.Layer:
    """With a batch norm and a dropout, which are other things in training."""
    return nn.Sequential(nn.Conv2D(3, 4, 3), nn.BatchNorm2D(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 2))


@pytest.mark.parametrize(
    ("format", "files"),
    [
        ("paddle", ["model.json", "model.pdiparams"]),
        ("onnx", ["model.onnx"]),
        ("lite", ["model.pdiparams", "model.pdmodel"]),
    ],
)
def test_a_layer_in_training_is_exported_as_in_evaluation(format, files, layer: nn.Layer, tmp_path: Path) -> None:
    layer.train()
    found = paddleprune.export(layer, shapes=[(3, 8, 8)], save_dir=tmp_path / "out", format=format)
    assert sorted(file.name for file in found) == sorted([*files, "export.json"])
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert record["inputs"] == [{"name": "input_0", "shape": [None, 3, 8, 8], "dtype": "float32"}]
    assert max(record["proof"]["probe"]["differences"].values()) < 1e-4
    assert all(part.training for part in layer.sublayers(include_self=True))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shapes": ()}, "a layer's inputs have no known shapes"),
        ({"format": "paddlex", "model_name": "ResNet18"}, "give a checkpoint, not a layer"),
        ({"eval_dataset": "shapes"}, "for a layer leave eval_dataset out"),
    ],
)
def test_what_a_layer_cannot_say(given, said, layer: nn.Layer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        paddleprune.export(layer, **{"shapes": [(3, 8, 8)], "save_dir": tmp_path / "out", **given})
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_knows_its_own_shapes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shapes are for a layer"):
        paddleprune.export("somewhere", shapes=[(3, 8, 8)], save_dir=tmp_path / "out")


def test_passes_that_fail_with_onednn_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, last in {"leaky": nn.LeakyReLU(0.1), "resized": nn.Upsample(scale_factor=2), "plain": nn.ReLU()}.items():
        paddleprune.export(nn.Sequential(nn.Conv2D(3, 4, 3), last), shapes=[(3, 8, 8)], save_dir=tmp_path / name)
    records = {
        name: json.loads((tmp_path / name / "export.json").read_text()) for name in ("leaky", "resized", "plain")
    }
    assert records["leaky"]["delete_passes"] == ["conv_activation_onednn_fuse_pass", "matmul_activation_fuse_pass"]
    assert records["resized"]["delete_passes"] == ["onednn_placement_pass"]
    assert records["plain"]["delete_passes"] == []
    assert "".join(capsys.readouterr()).count("fails at this file with oneDNN on") == 2
