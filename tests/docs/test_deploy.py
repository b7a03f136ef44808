"""What the page about devices says can be built and run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn
from pages import blocks

from paddleprune.exports.onnx import export_onnx

_PAGE = "docs/deploy.md"


@pytest.fixture
def layer(tmp_path: Path) -> nn.Layer:
    """A network, as `model.onnx`."""
    paddle.seed(0)
    layer = nn.Sequential(nn.Conv2D(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    layer.eval()
    export_onnx(layer, [(3, 8, 8)], tmp_path / "model")
    return layer


def _shell(command: str, place: Path, given: bytes = b"") -> bytes:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-ec", command],
        cwd=place,
        input=given,
        capture_output=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout.decode()}\n{done.stderr.decode()}"
    return done.stdout


def test_openvino_s_program_computes_what_the_layer_does(layer: nn.Layer, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    if not shutil.which("cmake") or not shutil.which("c++"):
        pytest.skip("there is no CMake or C++ compiler")
    (tmp_path / "CMakeLists.txt").write_text(blocks(_PAGE, "cmake")[0])
    (tmp_path / "scores.cpp").write_text(next(b for b in blocks(_PAGE, "cpp") if "openvino" in b))
    image = np.random.default_rng(0).standard_normal((1, 3, 8, 8), "float32")
    (tmp_path / "input.bin").write_bytes(image.tobytes())
    printed = _shell(blocks(_PAGE, "bash")[0], tmp_path)
    found = [float(line) for line in printed.decode().splitlines()[-5:]]
    assert np.allclose(found, layer(paddle.to_tensor(image)).numpy()[0], atol=1e-5)


def test_onnx_runtime_s_converter_takes_the_file(layer: nn.Layer, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    _shell(blocks(_PAGE, "bash")[1], tmp_path)
    assert (tmp_path / "phone" / "model.required_operators.config").exists()
    image = np.random.default_rng(0).standard_normal((1, 3, 8, 8), "float32")
    session = onnxruntime.InferenceSession(str(tmp_path / "phone" / "model.ort"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input_0": image})
    assert np.allclose(found, layer(paddle.to_tensor(image)).numpy(), atol=1e-5)
