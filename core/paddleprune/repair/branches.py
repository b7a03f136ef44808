"""What a network loses with each residual branch, once what reads the sum has been refitted.

It is measured: the mean square by which the outputs move, in one unit with the scores of channels.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.console import progress
from paddleprune.errors import PlanError
from paddleprune.graph import ChannelGraph
from paddleprune.graph.channels import Call
from paddleprune.graph.inputs import map_leaves
from paddleprune.graph.modes import in_mode
from paddleprune.interfaces import Array
from paddleprune.pruning.forwards import returned
from paddleprune.pruning.surgery import shrink, snapshot
from paddleprune.repair.network import Cut, repair
from paddleprune.repair.record import Record
from paddleprune.repair.scores import small_batches

_LOOKED_AT = 1 << 16
"""Numbers of an output that are compared for each batch, from all over it."""


def branch_losses(
    layer: nn.Layer, graph: ChannelGraph, record: Record, ridge: float, whole: Collection[str] = ()
) -> dict[str, float]:
    """The mean square by which the outputs move without each branch that may go.

    Args:
        layer: the dense network that the graph was built from; left as it was.
        graph: its channel graph.
        record: what it gave for some samples.
        ridge: of the repair.
        whole: branches that stay.

    Raises:
        PlanError: the network has no outputs of floating-point numbers.
    """
    free = [branch for branch in graph.branches if not branch.protected and branch.name not in whole]
    restore, dense, found = snapshot(layer, graph), _outputs(layer, record, graph.ends.calls), dict[str, float]()
    if not any(dense):
        raise PlanError("the network's outputs are no floating-point numbers, so that branches can't be scored by them")
    with progress("try without each branch", len(free)) as bar:
        for branch in free:
            try:
                shrink(layer, graph, [branch.unit])
                repair(layer, record, Cut.of(graph, graph.keeps([branch.unit]), [branch]), ridge=ridge)
                found[branch.name] = _moved(dense, _outputs(layer, record, graph.ends.calls))
            finally:
                restore(layer)
            bar.advance(note=f"{branch.name} {found[branch.name]:.3g}")
    return found


def _outputs(layer: nn.Layer, record: Record, ends: Collection[Call]) -> list[list[Array]]:
    """For each batch, numbers of each output."""
    with in_mode(layer, train=False), paddle.no_grad():
        return [
            [_some(output) for output in returned(layer, _tensors(batch), ends) if _counts(output)]
            for batch in small_batches(record)
        ]


def _tensors(batch: tuple[Any, ...]) -> list[Any]:
    return list(map_leaves(paddle.to_tensor, list(batch)))


def _counts(output: object) -> bool:
    return isinstance(output, paddle.Tensor) and "float" in str(output.dtype)


def _some(output: paddle.Tensor) -> Array:
    flat: Array = output.astype("float32").numpy().ravel()
    return flat[:: max(1, flat.size // _LOOKED_AT)]


def _moved(dense: list[list[Array]], now: list[list[Array]]) -> float:
    """The mean square of the differences, added up over the outputs."""
    pairs = zip(zip(*dense, strict=True), zip(*now, strict=True), strict=True)
    return sum(float(np.mean(np.square(np.concatenate(b) - np.concatenate(a)))) for a, b in pairs)
