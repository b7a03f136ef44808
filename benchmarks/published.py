"""Published networks, and small inputs for them, so that only their structure takes time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paddle import nn
from paddle.vision import models

from paddleprune.errors import ConfigError
from paddleprune.registry import Registry

SIDES = (32, 64, 96, 224, 28)


def paddle_models() -> dict[str, Callable[..., nn.Layer]]:
    """Every architecture of `paddle.vision.models`: its name, as plugins call it too, and what makes it."""
    makers = {name: value for name, value in vars(models).items() if name[0].islower() and _is_maker(value)}
    return {**makers, "lenet": models.LeNet}


def _is_maker(value: Any) -> bool:
    return "pretrained" in getattr(getattr(value, "__code__", None), "co_varnames", ())


def small_options(registry: Registry, task: str, family: str) -> Any:
    """A family's own options, with the first of some small input sizes that it takes."""
    for side in SIDES:
        try:
            return registry.options(task, family, {"input_size": side})
        except ConfigError:  # too small or too large for it
            continue
    return registry.options(task, family, {})
