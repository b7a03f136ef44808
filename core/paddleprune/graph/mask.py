"""Masking: the same shapes, and the removed channels are worth nothing to whoever reads them.

Masking where consumers *read* is exact whatever lies between producer and consumer (sigmoid(0) is not 0).
A consumer that reads zero times a channel's value is a consumer with that slice of its weights at zero.
Where something without weights reads (a product of activations, a sum over channels), everything that makes
the channel is at zero too; the graph lets that happen only where the channel is then zero at the reader.
Of a branch that goes, what its last layers give is multiplied by 0, so that zeros are what is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
from paddle import nn

from paddleprune.graph.channels import ChannelGraph
from paddleprune.graph.tensors import named_tensors, overwrite
from paddleprune.interfaces import Array


@contextmanager
def masked(layer: nn.Layer, graph: ChannelGraph, removed: Iterable[int]) -> Iterator[None]:
    """While open, the layer computes what it would without these units; then it is restored bit for bit.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        removed: units of the graph's groups, exact ones.
    """
    removed = list(removed)
    gone = np.array(removed, np.int64)
    silent = gone[np.isin(gone, np.fromiter(graph.quiet, np.int64))]
    tensors = named_tensors(layer)
    saved: dict[str, Array] = {}
    ends = {name for branch in graph.gone(removed) for name in branch.ends}
    hooks = [
        sub.register_forward_post_hook(lambda _, inputs, output: output * 0)
        for name, sub in layer.named_sublayers()
        if name in ends
    ]
    try:
        for axis in graph.axes:
            if axis.role == "index":
                continue
            cut = np.isin(axis.units, gone if axis.role == "read" else silent)
            if cut.any():
                tensor = tensors[axis.parameter]
                array = tensor.numpy()
                saved.setdefault(axis.parameter, array)
                array = array.copy()
                array[(slice(None),) * axis.axis + (cut,)] = 0
                overwrite(tensor, array)
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for name, array in saved.items():
            overwrite(tensors[name], array)
