"""A layer in INT8: what is folded, what is quantised, what it computes, and which step suffers."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import paddle
import pytest
from paddle import nn

from paddleprune.errors import DependencyError, GraphError
from paddleprune.measure.sessions import places_of, session_forward
from paddleprune.quantization import RUNTIME, Bench, rank_steps, time_files


class Residual(nn.Layer):
    """Three convolutions, one of them beside a shortcut, and a classifier; what comes after it is no layer's input."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 16, 3, padding=1), nn.BatchNorm2D(16), nn.ReLU6())
        self.inner = nn.Sequential(nn.Conv2D(16, 16, 3, padding=1), nn.BatchNorm2D(16))
        self.last = nn.Conv2D(16, 8, 1)

    def forward(self, image):
        x = self.stem(image)
        x = nn.functional.relu(x + self.inner(x))
        return {"b": nn.functional.softmax(self.last(x), 1), "a": x.mean([2, 3])}


@pytest.fixture
def layer() -> nn.Layer:
    layer = Residual()
    layer.eval()
    return layer


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, 16, 16)).astype(np.float32)


def built(layer: nn.Layer, folder: Path) -> Bench:
    return Bench.of(layer, [(3, 16, 16)], (images(40),), folder)


def kinds(file: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(str(file)).graph.node)


def test_int8_computes_nearly_what_the_layer_does(layer: nn.Layer, tmp_path: Path) -> None:
    bench = built(layer, tmp_path)
    assert [step.title for step in bench.network.steps] == ["stem.0", "inner.0", "Add after stem.0", "last"]
    assert "BatchNormalization" not in kinds(bench.network.file)
    file = bench.write(tmp_path / "int8.onnx")
    (convolution,) = (n for n in onnx.load(str(file)).graph.node if n.op_type == "Conv" and n.name == "Conv.0")
    weights = {c.name: c for c in onnx.load(str(file)).graph.initializer}
    dequantized = next(n for n in onnx.load(str(file)).graph.node if convolution.input[1] in n.output)
    assert dequantized.op_type == "DequantizeLinear"
    assert weights[dequantized.input[0]].data_type == onnx.TensorProto.INT8
    assert list(weights[dequantized.input[1]].dims) == [16]  # a scale for each channel
    for count in (1, 5):  # any number of samples
        with paddle.no_grad():
            made = layer(paddle.to_tensor(images(count)))
        for got, name in zip(bench.forward(file)((images(count),)), ("b", "a"), strict=True):
            wanted = made[name].numpy()
            assert got.shape == wanted.shape
            assert 0 < np.abs(got - wanted).max() < 0.1 * np.abs(wanted).max()


def test_outputs_come_in_the_order_of_the_layer_s(layer: nn.Layer, tmp_path: Path) -> None:
    """A dict's values: as it has them; a file has them by their keys."""
    bench = built(layer, tmp_path)
    assert places_of(layer, (images(1),)) == bench.places == [1, 0]
    session = RUNTIME.load(bench.float32.with_suffix(""), 1)
    got = session_forward(session, bench.places)((images(2),))
    assert [array.shape for array in got] == [(2, 8, 16, 16), (2, 16)]


def test_what_is_left_in_float_has_its_weights_in_float(layer: nn.Layer, tmp_path: Path) -> None:
    bench = built(layer, tmp_path)
    _, inner, _, _ = bench.network.steps
    file = bench.write(tmp_path / "int8.onnx", [inner])
    floats = [c for c in onnx.load(str(file)).graph.initializer if c.data_type == onnx.TensorProto.FLOAT]
    assert [list(c.dims) for c in floats if len(c.dims) == 4] == [[16, 16, 3, 3]]


def test_the_steps_that_suffer_are_found(layer: nn.Layer, tmp_path: Path) -> None:
    """One channel of a thousand times the others' size leaves them no levels: where it is made, added and read."""
    scales = np.ones(16, np.float32)
    scales[0] = 1000.0
    norm = layer.inner[1]
    norm.weight.set_value(norm.weight * paddle.to_tensor(scales))
    layer.last.weight.set_value(layer.last.weight / paddle.to_tensor(scales).reshape([1, 16, 1, 1]))
    bench = built(layer, tmp_path)
    ranked = rank_steps(bench.network, bench.ranges, (images(8),))
    errors = [error for _, error in ranked]
    assert errors == sorted(errors, reverse=True)
    assert ranked[-1][0].title == "stem.0"
    assert errors[2] > 3 * errors[3] > 0


def test_both_are_timed(layer: nn.Layer, tmp_path: Path) -> None:
    bench = built(layer, tmp_path)
    file = bench.write(tmp_path / "int8.onnx")
    found = time_files({"FP32": bench.float32, "INT8": file}, tmp_path, 1)
    assert all(found[name].median_ms > 0 and found[name].threads == 1 for name in ("FP32", "INT8"))


def test_without_layers_there_is_nothing_to_quantise(tmp_path: Path) -> None:
    layer = nn.Sequential(nn.MaxPool2D(2), nn.ReLU())
    with pytest.raises(GraphError, match="no convolution or linear layer"):
        built(layer, tmp_path)


def test_a_missing_package_is_one_line(layer: nn.Layer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = built(layer, tmp_path)
    for module in [name for name in sys.modules if name.startswith("onnxruntime.quantization")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(DependencyError, match=r"INT8 quantisation needs the module 'ml_dtypes', .*paddleprune\[onnx\]"):
        bench.write(tmp_path / "int8.onnx")
