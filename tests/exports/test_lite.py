"""Files for Paddle Lite's converter."""

from __future__ import annotations

import json
from pathlib import Path

import paddle
import pytest
from checkpoints import write_checkpoint
from paddle import nn

import paddleprune
from paddleprune.errors import GraphError
from paddleprune.exports.inference_files import export_model
from paddleprune.exports.lite import export_lite


@pytest.mark.parametrize(
    ("task", "family", "options"),
    [
        ("classification", "mobilenet_v2", {"num_classes": 3, "input_size": 32, "scale": 0.35}),
        ("segmentation", "unet", {"num_classes": 3, "input_size": 32, "width": 8}),
        ("segmentation", "bisenetv2", {"num_classes": 3, "input_size": 64, "scale": 0.25}),
        ("detection", "yolov3_mobilenet_v1", {"num_classes": 2, "input_size": 64, "scale": 0.25}),
    ],
)
def test_a_pruned_checkpoint_is_written_in_the_old_ir_and_proved(task, family, options, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint", task, family, options, pruned=True)
    files = paddleprune.export(checkpoint, save_dir=tmp_path / "lite", format="lite")
    assert [file.name for file in files] == ["model.pdiparams", "model.pdmodel", "export.json"]
    assert sorted(file.name for file in (tmp_path / "lite").iterdir()) == sorted(file.name for file in files)
    proof = json.loads(files[-1].read_text())["proof"]
    assert proof["probe"]["samples"] == 3
    assert max(proof["probe"]["differences"].values()) < 1e-4


@pytest.mark.skipif(paddle.__version__ < "3.2", reason="Paddle 3.1 writes this network")
def test_what_the_old_ir_lacks_is_said_in_one_line(tmp_path: Path) -> None:
    class Odd(nn.Layer):
        def forward(self, x):
            return paddle.nn.functional.silu(x) if x.shape[0] > 0 else paddle.bmm(x, x)

    with pytest.raises(GraphError, match=r"^cannot export Odd [^\n]+$"):
        export_lite(Odd(), [(4, 4)], tmp_path / "model")
    files = export_model(nn.Linear(4, 2), [(4,)], tmp_path / "other")
    assert [file.suffix for file in files] == [".json", ".pdiparams"]  # the old IR is off again
