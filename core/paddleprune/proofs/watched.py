"""A network that returns what each of its layers does."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn

from paddleprune.paddle_private.programs import Value

_TENSORS = (paddle.Tensor, Value)


class Watched(nn.Layer):
    """A network whose outputs are all outputs of its layers, in the order in which they end, while it is open.

    Args:
        layer: the network.

    Attributes:
        names: for each output of the last forward the layer, with its type.
    """

    def __init__(self, layer: nn.Layer) -> None:
        super().__init__()
        self.layer, self.names, self._made = layer, list[str](), list[Any]()
        self._hooks: list[Any] = []

    def __enter__(self) -> Watched:
        for name, part in self.layer.named_sublayers():
            self._hooks.append(part.register_forward_post_hook(self._noting(f"{name} ({type(part).__name__})")))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def forward(self, first: Any, second: Any = None, third: Any = None, fourth: Any = None) -> Any:
        """Every output of every layer, and those of the network. (A trace takes no `*inputs`.)"""
        self.names.clear()
        self._made.clear()
        given = [array for array in (first, second, third, fourth) if array is not None]
        self._note("the network itself", self.layer(*given))
        return list(self._made)

    def _noting(self, name: str) -> Any:
        return lambda part, inputs, outputs: self._note(name, outputs)

    def _note(self, name: str, outputs: Any) -> None:
        for leaf in paddle.utils.flatten(outputs):
            if isinstance(leaf, _TENSORS) and not any(_same(leaf, made) for made in self._made):
                self._made.append(leaf)
                self.names.append(name)


def _same(one: Any, other: Any) -> bool:
    """A layer may hand on what another one made."""
    return one is other or (isinstance(one, Value) and bool(one.is_same(other)))
