"""An exported file computes what the layer does, and the layer stays as it was."""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.vision.models import mobilenet_v2, shufflenet_v2_x0_25

from paddleprune.errors import DependencyError, GraphError, SaveError
from paddleprune.exports.inference_files import export_model
from paddleprune.exports.onnx import export_onnx
from paddleprune.runtimes.inference import create_predictor


class TwoInputs(nn.Layer):
    """Two inputs of different shape, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 3)
        self.norm = nn.BatchNorm2D(4)
        self.drop = nn.Dropout(0.5)
        self.unused = nn.Linear(100, 100)

    def forward(self, image, scale):
        y = self.drop(self.norm(self.conv(image)))
        return y.mean([2, 3]) * scale, y


class SevenWide(nn.Layer):
    """Fits one input size only."""

    def forward(self, image):
        return image + paddle.ones([1, 1, 7, 7])


def _run(prefix: Path, *arrays: np.ndarray) -> list[np.ndarray]:
    predictor = create_predictor(prefix, onednn=False, threads=1)
    for i, array in enumerate(arrays):
        predictor.get_input_handle(f"input_{i}").copy_from_cpu(array)
    predictor.run()
    return [predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()]


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


@pytest.mark.parametrize("images", [1, 3])
def test_reloaded_files_compute_what_the_layer_does(tmp_path: Path, images: int) -> None:
    layer = TwoInputs()
    files = export_model(layer, [(3, 8, 8), (4,)], tmp_path / "deep" / "model")
    assert files == [tmp_path / "deep" / "model.json", tmp_path / "deep" / "model.pdiparams"]
    assert sorted((tmp_path / "deep").iterdir()) == files
    inputs = _random(images, 3, 8, 8), _random(images, 4)
    layer.eval()
    expected = layer(*map(paddle.to_tensor, inputs))
    for got, want in zip(_run(tmp_path / "deep" / "model", *inputs), expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=1e-6)


@pytest.mark.parametrize("build", [lambda: mobilenet_v2(scale=0.25, num_classes=5), shufflenet_v2_x0_25])
def test_any_number_of_images(tmp_path: Path, build) -> None:
    layer = build()
    export_model(layer, [(3, 32, 32)], tmp_path / "model")
    layer.eval()
    for images in (1, 2):
        x = _random(images, 3, 32, 32)
        np.testing.assert_allclose(_run(tmp_path / "model", x)[0], layer(paddle.to_tensor(x)).numpy(), atol=1e-5)


def test_the_layer_stays_as_it_was(tmp_path: Path) -> None:
    layer = TwoInputs()
    layer.norm.eval()
    before = {name: value.numpy().copy() for name, value in layer.state_dict().items()}
    export_model(layer, [(3, 8, 8), (4,)], tmp_path / "model")
    assert layer.training
    assert layer.drop.training
    assert not layer.norm.training
    assert "forward" not in vars(layer)
    assert all((before[name] == value.numpy()).all() for name, value in layer.state_dict().items())


def test_a_changed_layer_is_exported_anew(tmp_path: Path) -> None:
    layer = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    export_model(layer, [(4,)], tmp_path / "model")
    layer[0], layer[1] = nn.Linear(4, 3), nn.Linear(3, 2)
    export_model(layer, [(4,)], tmp_path / "model")
    x = _random(2, 4)
    np.testing.assert_allclose(_run(tmp_path / "model", x)[0], layer(paddle.to_tensor(x)).numpy(), atol=1e-6)


def test_a_layer_that_cannot_be_traced_is_named(tmp_path: Path) -> None:
    layer = SevenWide()
    with pytest.raises(GraphError, match=r"cannot export SevenWide for inputs of \[\(3, 5, 5\)\]") as error:
        export_model(layer, [(3, 5, 5)], tmp_path / "model")
    assert "\n" not in str(error.value)
    assert layer.training
    assert "forward" not in vars(layer)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_earlier_export(tmp_path: Path) -> None:
    export_model(nn.Linear(100, 10), [(100,)], tmp_path / "model")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(SaveError, match="model"):
            export_model(nn.Linear(1000, 100), [(1000,)], tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="file/model"):
        export_model(nn.Linear(2, 2), [(2,)], tmp_path / "file" / "model")


def test_onnx_without_paddle2onnx_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paddle2onnx", None)
    with pytest.raises(DependencyError, match=r"pip install 'paddleprune\[onnx\]'"):
        export_onnx(nn.Linear(2, 2), [(2,)], tmp_path / "model")


class TestOnnx:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("paddle2onnx")

    def test_onnxruntime_computes_what_the_layer_does(self, tmp_path: Path) -> None:
        onnxruntime = pytest.importorskip("onnxruntime")
        layer = mobilenet_v2(scale=0.25, num_classes=5)
        (path,) = export_onnx(layer, [(3, 32, 32)], tmp_path / "model")
        assert list(tmp_path.iterdir()) == [path]
        assert layer.training
        layer.eval()
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for images in (1, 2):
            x = _random(images, 3, 32, 32)
            got = session.run(None, {"input_0": x})[0]
            np.testing.assert_allclose(got, layer(paddle.to_tensor(x)).numpy(), atol=1e-5)

    def test_an_operation_that_onnx_lacks(self, tmp_path: Path) -> None:
        with pytest.raises(GraphError, match="paddle2onnx says") as error:
            export_onnx(Histogram(), [(4,)], tmp_path / "model")
        assert "\n" not in str(error.value)
        assert list(tmp_path.iterdir()) == []


class Histogram(nn.Layer):
    """An operation that paddle2onnx doesn't know."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return paddle.histogram(self.linear(x), 4, 0, 1)
