"""Layers that training leaves as they are."""

from __future__ import annotations

from collections.abc import Iterable

from paddle import nn

from paddleprune.validation import matching


def freeze(layer: nn.Layer, patterns: Iterable[str]) -> list[nn.Layer]:
    """Let no parameter of some layers be trained.

    Args:
        layer: the network.
        patterns: names of its layers, or globs; a layer's own layers go with it.

    Returns:
        The layers that are to run as in evaluation while the rest trains: norms keep their statistics.

    Raises:
        ConfigError: a pattern matches none.
    """
    named = dict(layer.named_sublayers())
    chosen = [named[name] for name in sorted(matching(named, patterns, "layer"))]
    for sub in chosen:
        for parameter in sub.parameters():
            parameter.stop_gradient = True
    return [part for sub in chosen for part in sub.sublayers(include_self=True)]
