"""Whether a network's own code asks if it is being trained, and what that code does then.

Paddle's layers (dropout, batch norm) ask too, but do the same to channels in both modes. So only what is asked
elsewhere counts, and only that is answered with "yes" while a training forward is looked at: no statistics change,
nothing is dropped at random by a layer of Paddle's.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paddle import Tensor, nn

from paddleprune.paddle_private.widths import RECURRENT


class Mode:
    """The attribute `training` of all layers, while somebody listens; other threads see what is stored.

    Attributes:
        asked: whether a network's own code has asked.
    """

    def __init__(self, pretend: bool) -> None:
        self.asked, self._pretend, self._thread = False, pretend, threading.get_ident()

    def __get__(self, layer: nn.Layer | None, owner: type | None = None) -> Any:
        if layer is None:
            return self
        if "training" not in vars(layer):
            raise AttributeError("training")
        stored = vars(layer)["training"]
        if threading.get_ident() != self._thread:
            return stored
        if _is_paddle_s(sys._getframe(1).f_globals.get("__name__", "")):
            return stored and not self._pretend
        self.asked = True
        return stored or self._pretend

    def __set__(self, layer: nn.Layer, value: bool) -> None:
        vars(layer)["training"] = value


def _is_paddle_s(module: str) -> bool:
    return module.startswith("paddle.") and not module.startswith("paddle.vision.models")


@contextmanager
def evaluating(layer: nn.Layer) -> Iterator[Mode]:
    """While open, the layer is in evaluation mode; afterwards each sublayer has the mode that it had."""
    with _listening(pretend=False) as mode, in_mode(layer, train=False):
        yield mode


@contextmanager
def training(layer: nn.Layer) -> Iterator[Mode]:
    """While open, the network's own code sees that it trains, and Paddle's layers evaluate; then as above."""
    with _listening(pretend=True) as mode, in_mode(layer, train=True):
        yield mode


@contextmanager
def _listening(pretend: bool) -> Iterator[Mode]:
    mode = Mode(pretend)
    nn.Layer.training = mode
    try:
        yield mode
    finally:
        del nn.Layer.training


@contextmanager
def in_mode(layer: nn.Layer, *, train: bool) -> Iterator[None]:
    """While open, the layer is in one mode; afterwards each sublayer has the mode that it had. Nobody listens."""
    subs = [(sub, vars(sub)["training"]) for sub in layer.sublayers(include_self=True)]
    layer.train() if train else layer.eval()
    try:
        yield
    finally:
        layer.train() if subs[0][1] else layer.eval()
        for sub, mode in subs:
            vars(sub)["training"] = mode


@contextmanager
def differentiable(layer: nn.Layer) -> Iterator[list[Tensor]]:
    """While open, the layer does what it does in evaluation mode, and has gradients; afterwards as above.

    Paddle's recurrent layers have none in that mode: they train meanwhile, and drop nothing. Nor have they any for
    what they read alone: this yields their weights, whose gradients must be asked for as well.
    """
    with in_mode(layer, train=False):
        recurrent = [sub for sub in layer.sublayers(include_self=True) if isinstance(sub, RECURRENT)]
        weights = [weight for sub in recurrent for weight in sub.parameters()]
        before = [sub.dropout for sub in recurrent], [weight.stop_gradient for weight in weights]
        for sub in recurrent:
            sub.training, sub.dropout = True, 0.0
        for weight in weights:
            weight.stop_gradient = False
        try:
            yield weights
        finally:
            for sub, share in zip(recurrent, before[0], strict=True):
                sub.dropout = share
            for weight, frozen in zip(weights, before[1], strict=True):
                weight.stop_gradient = frozen


def switches(layer: nn.Layer) -> bool:
    """Does a layer do more in `train()` or `eval()` than note it?"""
    return any(
        type(sub).train is not nn.Layer.train or type(sub).eval is not nn.Layer.eval
        for sub in layer.sublayers(include_self=True)
        if not _is_paddle_s(type(sub).__module__)
    )
