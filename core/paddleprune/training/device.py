"""Which device trains."""

from __future__ import annotations

from paddleprune.amounts import known_device
from paddleprune.dependencies import require
from paddleprune.errors import ConfigError
from paddleprune.launched import gpu_here
from paddleprune.settings import AmpName


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


def check_amp(amp: AmpName | None, device: str) -> None:
    """Refuse mixed precision where Paddle would leave it off, or where the GPU can't.

    Raises:
        ConfigError: amp on a CPU: Paddle's `auto_cast` has no effect there, in either type (measured on 3.3.1); or on a
            GPU that lacks the type.
    """
    if amp is None:
        return
    if not device.startswith("gpu"):
        raise ConfigError(
            f"`amp` {amp} needs a GPU, and the device is {device!r}, where Paddle trains in float32 alone: "
            "leave `amp` out, or choose device='gpu'"
        )
    known = require("paddle", "training").amp
    can = known.is_bfloat16_supported if amp == "bf16" else known.is_float16_supported
    if not can(device):
        raise ConfigError(f"`amp` {amp} is not there: {device} doesn't compute in it; leave `amp` out, or try fp16")
