"""What this installation has, and what it lacks."""

from __future__ import annotations

import platform
from importlib import metadata, util

import paddleprune
from paddleprune.dependencies import WAYS_OUT

Row = tuple[str, str, str]
_PADDLE = ((3, 1), (3, 4))
_OPTIONAL = ("visualdl", "sklearn", "paddle2onnx", "onnxruntime", "openvino", "paddleslim", "ray")


def examine() -> tuple[list[Row], bool]:
    """Every finding as (what, found, state), and whether nothing is broken."""
    rows = [("python", platform.python_version(), "ok"), ("paddleprune", paddleprune.__version__, "ok")]
    rows += _paddle()
    for module in _OPTIONAL:
        found = util.find_spec(module) is not None
        rows.append((module, "installed" if found else "absent", "ok" if found else f"optional: {WAYS_OUT[module]}"))
    for plugin in paddleprune.plugins():
        rows.append((f"plugin {plugin.name}", f"{plugin.distribution} {plugin.version}".strip(), plugin.error or "ok"))
    return rows, all(state == "ok" or state.startswith("optional") for _, _, state in rows)


def _paddle() -> list[Row]:
    if util.find_spec("paddle") is None:
        return [("paddle", "absent", "pip install 'paddleprune[cpu]', or a paddlepaddle-gpu that fits your CUDA")]
    import paddle

    from paddleprune.paddle_private.build import has_onednn

    version = tuple(int(part) for part in paddle.__version__.split(".")[:2])
    fits = _PADDLE[0] <= version < _PADDLE[1]
    both = all(_installed(name) for name in ("paddlepaddle", "paddlepaddle-gpu"))
    state = "ok" if fits else f"needs {_PADDLE[0][0]}.{_PADDLE[0][1]} or newer, below {_PADDLE[1][0]}.{_PADDLE[1][1]}"
    if both:
        state = "paddlepaddle and paddlepaddle-gpu overwrite each other; uninstall one"
    devices = "cpu"
    if paddle.is_compiled_with_cuda():
        devices += f", {paddle.device.cuda.device_count()} GPU(s)"
    onednn = "with" if has_onednn() else "without"
    return [("paddle", paddle.__version__, state), ("devices", f"{devices}; {onednn} oneDNN", "ok")]


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
