"""An exported file is compared with the layer; what is wrong is refused by name, what paddle2onnx gets wrong mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
import pytest
from paddle import nn
from paddle.vision.ops import roi_align

from paddleprune.errors import GraphError
from paddleprune.exports import onnx_ops
from paddleprune.exports.inference_files import export_model
from paddleprune.exports.onnx import export_onnx, opset_of
from paddleprune.proofs.proof import Fed, prove
from paddleprune.proofs.proved import Port
from paddleprune.runtimes.modes import MODES

PADDLE, ONNX = MODES["onednn_off"], MODES["onnxruntime"]
SHAPE = (3, 11, 13)


class Named(nn.Layer):
    """Two inputs; a dict of outputs, whose keys aren't in order."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.linear = nn.Conv2D(3, 4, 3), nn.Linear(5, 2)

    def forward(self, image: Any, numbers: Any) -> Any:
        return {"z": self.convolution(image), "a": [self.linear(numbers), None]}


def test_what_is_proved_is_told(tmp_path: Path) -> None:
    layer = Named()
    layer.eval()
    export_model(layer, [SHAPE, (5,)], tmp_path / "model")
    data = [np.ones((10, *SHAPE), "float32"), np.ones((10, 5), "float32")]
    outputs, proof = prove(layer, tmp_path / "model", PADDLE, Fed.of([SHAPE, (5,)], None, data))
    assert [port.shape for port in outputs] == [(None, 2), (None, 4, 9, 11)]
    assert outputs[0] == Port(name=outputs[0].name, shape=(None, 2), dtype="float32")
    assert proof.data is not None
    assert (proof.probe.samples, proof.data.samples) == (3, 10)
    assert list(proof.data.differences) == [port.name for port in outputs]
    assert max(proof.data.differences.values()) <= proof.tolerance
    assert "3 random samples and 10 of the data" in proof.describe()


def test_a_file_of_a_fixed_batch_gets_whole_batches(tmp_path: Path) -> None:
    layer = nn.Linear(4, 2)
    export_model(layer, [(4,)], tmp_path / "model", batch=4)
    data = [np.random.default_rng(1).standard_normal((10, 4), np.float32)]
    outputs, proof = prove(layer, tmp_path / "model", PADDLE, Fed.of([(4,)], 4, data))
    assert outputs[0].shape == (4, 2)
    assert proof.probe.samples == 4
    assert proof.data is not None
    assert proof.data.samples == 10


def test_another_model_s_file_is_refused(tmp_path: Path) -> None:
    layer, other = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    for wrong in (nn.Sequential(layer[0], nn.Linear(4, 2)), other):
        export_model(wrong, [(4,)], tmp_path / "model")
        with pytest.raises(GraphError, match=r"in Paddle [\d.]+ the exported file is another model: its output '\w+' "):
            prove(layer, tmp_path / "model", PADDLE, Fed.of([(4,)], None))
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(GraphError, match=r"Paddle [\d.]+ can't run the exported file: "):
        prove(layer, tmp_path / "model", PADDLE, Fed.of([(4,)], None))


class Mended(nn.Layer):
    """Everything that paddle2onnx gets wrong; the boxes are of the second image too, and reach out of it."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2D(3, 4, 3, padding=1, padding_mode="reflect")
        self.steep, self.negative = nn.LeakyReLU(0.2), nn.LeakyReLU(-0.3)
        self.norm = nn.GroupNorm(2, 4, epsilon=0.1)

    def forward(self, image: Any) -> Any:
        x = self.convolution(image)
        boxes = paddle.tile(image[:, :1, 0, 0] * 0, [1, 4]) + paddle.to_tensor([-9.0, 3.0, 20.0, 18.5])
        each = paddle.ones_like(boxes[:, 0]).astype("int32")
        return (
            self.steep(x),
            self.negative(x),
            F.hardtanh(x, -0.2, 0.3),
            self.norm(x),
            F.adaptive_avg_pool2d(x, (3, 5)),
            F.adaptive_avg_pool1d(x.flatten(2), 6),
            F.adaptive_max_pool2d(x, 7),
            F.adaptive_avg_pool2d(x, 1),
            F.pad(x, [1, 2, 0, 3], value=0.7),
            F.pad(x.transpose([0, 2, 3, 1]), [1, 2, 0, 3], data_format="NHWC"),
            F.interpolate(x, scale_factor=2, mode="bilinear"),
            F.interpolate(x, scale_factor=[3, 1], mode="nearest"),
            roi_align(x, boxes, each, 3, 0.5, sampling_ratio=2),
            roi_align(x, boxes, each, (2, 4), 0.5, sampling_ratio=2, aligned=False),
        )


def test_what_paddle2onnx_gets_wrong_is_mended(tmp_path: Path) -> None:
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    before = dict(vars(paddle._C_ops))
    layer = Mended()
    layer.eval()
    (file,) = export_onnx(layer, [SHAPE], tmp_path / "model", opset=15)
    assert opset_of(file) == 15
    assert dict(vars(paddle._C_ops)) == before
    outputs, proof = prove(layer, tmp_path / "model", ONNX, Fed.of([SHAPE], None))
    assert len(outputs) == 14
    assert proof.probe.largest < 1e-5


class Reordered(nn.Layer):
    """Channels in another order, before convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Conv2D(3, 8, 1), nn.Conv2D(8, 8, 3, groups=8), nn.Conv2D(8, 8, 1)
        self.register_buffer("order", paddle.to_tensor([3, 0, 6, 1, 7, 2, 4, 5]))

    def forward(self, image: Any) -> Any:
        x = self.first(image)
        selected = self.third(self.second(paddle.index_select(x, self.order, axis=1)))
        return selected, self.third(paddle.gather(x, self.order, axis=1))


def test_what_openvino_gets_wrong_is_mended(tmp_path: Path) -> None:
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("openvino")
    layer = Reordered()
    layer.eval()
    export_onnx(layer, [SHAPE], tmp_path / "model")
    for mode in ("onnxruntime", "openvino"):
        _, proof = prove(layer, tmp_path / "model", MODES[mode], Fed.of([SHAPE], None))
        assert proof.probe.largest < 1e-5


def test_what_is_written_wrongly_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    halved = {"leaky_relu": lambda operation, x, slope: operation(x, slope / 2)}
    monkeypatch.setattr(onnx_ops, "_REWRITES", halved)
    inner = nn.Sequential(nn.Tanh(), nn.LeakyReLU(0.2))
    layer = nn.Sequential(nn.Conv2D(3, 4, 3), inner, nn.Flatten(), nn.Linear(396, 2))
    layer.eval()
    export_onnx(layer, [SHAPE], tmp_path / "model")
    with pytest.raises(GraphError, match=r"; the first layer that differs is 1\.1 \(LeakyReLU\)$"):
        prove(layer, tmp_path / "model", ONNX, Fed.of([SHAPE], None))
    assert not any(part._forward_post_hooks for part in layer.sublayers())
