"""Activations that a forward keeps as attributes (`self.seen = x`): Paddle makes buffers of them, but no state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paddle import nn

from paddleprune.paddle_private.layers import buffers, unsaved_buffers
from paddleprune.paddle_private.programs import Value


@contextmanager
def kept_activations(layer: nn.Layer) -> Iterator[set[str]]:
    """While open and a layer is traced, note which buffers it overwrites, other than those that are saved.

    The attribute then holds the new value, also for whoever reads it later in the same forward.

    Yields:
        Their structured names, once they are overwritten.
    """
    names = {id(sub): name for name, sub in layer.named_sublayers(include_self=True)}
    found: set[str] = set()
    usual = nn.Layer.__setattr__

    def noting(self: nn.Layer, name: str, value: Any) -> None:
        if isinstance(value, Value) and name in buffers(self) and name in unsaved_buffers(self) and id(self) in names:
            found.add(f"{names[id(self)]}.{name}".removeprefix("."))
            buffers(self)[name] = value
        else:
            usual(self, name, value)

    nn.Layer.__setattr__ = noting
    try:
        yield found
    finally:
        nn.Layer.__setattr__ = usual
