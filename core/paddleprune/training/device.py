"""Which device trains."""

from __future__ import annotations

from paddleprune.amounts import known_device
from paddleprune.dependencies import require
from paddleprune.errors import ConfigError
from paddleprune.launched import gpu_here


def select_device(name: str) -> str:
    """Make Paddle use a device; call it before a model is built.

    Args:
        name: "auto" (a GPU if Paddle sees one), "cpu", "gpu" (this rank's) or "gpu:N".

    Returns:
        The device in Paddle's words, "cpu" or "gpu:N".

    Raises:
        DependencyError: Paddle isn't installed.
        ConfigError: that is no device, or there is no such GPU.
    """
    try:
        known_device(name)
    except ValueError as error:
        raise ConfigError(f"`device` {error}") from None
    paddle = require("paddle", "training")
    gpus = paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0
    if name == "auto":
        name = "gpu" if gpus else "cpu"
    if name == "gpu":
        name = f"gpu:{gpu_here()}"
    if name != "cpu" and int(name.partition(":")[2]) >= gpus:
        raise ConfigError(f"`device` {name!r} is not there: {_seen(paddle.is_compiled_with_cuda(), gpus)}")
    paddle.set_device(name)
    return name


def _seen(has_cuda: bool, gpus: int) -> str:
    if not has_cuda:
        return "the installed Paddle has no GPU support; use device 'cpu', or install a paddlepaddle-gpu"
    return f"Paddle sees {gpus} GPU(s), numbered from 0; use another number, or device 'cpu'"


def check_amp(amp: bool, device: str) -> None:
    """Refuse mixed precision where Paddle would silently leave it off.

    Raises:
        ConfigError: amp on a CPU; Paddle's `auto_cast` has no effect there (measured on 3.3.1).
    """
    if amp and not device.startswith("gpu"):
        raise ConfigError(f"`amp` needs a GPU, and the device is {device!r}: leave `amp` off, or choose device='gpu'")
