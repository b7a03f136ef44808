"""A missing optional package gives one line that says what to install."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from paddleprune.errors import DependencyError

WAYS_OUT = {
    "paddle": "pip install 'paddleprune[cpu]', or a paddlepaddle-gpu that fits your CUDA",
    "sklearn": "pip install 'paddleprune[demo]'",
    "visualdl": "pip install 'paddleprune[vdl]'",
    "paddle2onnx": "pip install 'paddleprune[onnx]'",
    "onnx": "pip install 'paddleprune[onnx]'",
    "onnxruntime": "pip install 'paddleprune[onnx]'",
    "ml_dtypes": "pip install 'paddleprune[onnx]'",
    "openvino": "pip install 'paddleprune[openvino]'",
    "ray": "pip install 'paddleprune[ray]'",
    "paddleslim": "pip install --no-deps paddleslim==2.6.0 && pip install 'paddleprune[paddleslim]'",
    "hypothesis": "pip install 'paddleprune[dev]'",
}
"""Module -> what installs it; the engine's PaddleSlim without its pins, which are too old for Paddle."""


def require(module: str, needed_for: str) -> ModuleType:
    """Import a package that may be absent.

    Raises:
        DependencyError: it isn't installed; the message says what to install.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise missing(error, needed_for) from error


def missing(error: ModuleNotFoundError, needed_for: str) -> DependencyError:
    """The error that names the package to install, from the one that Python raised."""
    package = (error.name or str(error)).partition(".")[0]
    way_out = WAYS_OUT.get(package, "install the package that provides it")
    return DependencyError(f"{needed_for} needs the module {package!r}, which is not installed: {way_out}")
