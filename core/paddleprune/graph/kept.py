"""Activations that a forward keeps as attributes (`self.seen = x`): Paddle makes buffers of them, but no state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paddle
from paddle import nn


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
        if (
            isinstance(value, paddle.pir.Value)
            and name in self._buffers
            and name in self._non_persistable_buffer_names_set
            and id(self) in names
        ):
            found.add(f"{names[id(self)]}.{name}".removeprefix("."))
            self._buffers[name] = value
        else:
            usual(self, name, value)

    nn.Layer.__setattr__ = noting
    try:
        yield found
    finally:
        nn.Layer.__setattr__ = usual
