"""One layer's refit: from what it reads now to what it gave when the network was dense."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from paddle import Tensor, nn

from paddleprune.graph.tensors import overwrite
from paddleprune.interfaces import Array
from paddleprune.pruning.outcome import LayerRepair
from paddleprune.repair.least_squares import Rows, Sums
from paddleprune.repair.readers import groups_of, inputs_at, matrices, places_of, set_matrices
from paddleprune.repair.record import Seen

_WIDE, _MORE = 1024, 1.25
"""Inputs of a layer beyond which a solution costs more than a run, and by how much its rows grow until the next one."""


class Refit:
    """What is known of one layer of the cut network, and its weights.

    Args:
        layer: the layer; `take` changes it in place.
        kept: which of the dense layer's outputs stayed; None for all.
        mean: the running mean behind it that takes up a constant; None if there is none.
        rows: how many rows there will be.
        ridge: how strongly weights are pulled towards those of the cut network.
    """

    def __init__(self, layer: nn.Layer, kept: Array | None, mean: Tensor | None, rows: int, ridge: float) -> None:
        self._layer, self._kept, self._mean, self._ridge = layer, kept, mean, ridge
        self._start = matrices(layer).astype(np.float64)
        self._constant = self._now()
        self._rows, self._taken, self._solved = rows, 0, 0
        self._home = None if mean is None else mean.numpy()
        free = layer.bias is not None or mean is not None
        self._sums: Sums | Rows = Rows(free) if rows < self._start.shape[1] else Sums(free)
        self.result: LayerRepair | None = None

    def fits(self, value: Array, seen: Seen) -> bool:
        """Does each row of what the layer reads now stand where it stood in the dense network?"""
        return places_of(self._layer, value) == seen.places

    def give_up(self) -> None:
        """Leave the layer as it was cut."""
        self._set(self._start, self._constant)

    def take(self, value: Array, seen: Seen) -> None:
        """Refit the layer from everything seen so far and a call more; a wide one when that is much more than before.

        A refit that makes the samples worse that are held out is taken back.

        Args:
            value: what the layer reads now.
            seen: what it gave at this call in the dense network.
        """
        wanted = seen.output if self._kept is None else seen.output[:, self._kept]
        groups = groups_of(self._layer)
        x = inputs_at(self._layer, value, np.broadcast_to(np.float32(0), seen.shape), seen.rows)
        y = np.ascontiguousarray(wanted.reshape(len(wanted), groups, -1).transpose(1, 0, 2))
        fitted = x.shape[1] - seen.held
        self._sums.add(x[:, :fitted], y[:, :fitted])
        self._taken += fitted
        if self._start.shape[1] > _WIDE and self._taken < min(self._rows, _MORE * self._solved):
            return
        self._solved = self._taken
        weights, constant = self._sums.solve(self._start, self._ridge)
        judges = slice(fitted, None) if seen.held else slice(None)
        before = _error(x[:, judges], y[:, judges], self._start, self._constant)
        after = _error(x[:, judges], y[:, judges], weights, constant)
        better = after < before
        self._set(*((weights, constant) if better else (self._start, self._constant)))
        self.result = LayerRepair(before=before, after=after if better else before, refitted=better)

    def _now(self) -> Array:
        groups, _, outputs = self._start.shape
        if self._layer.bias is None:
            return np.zeros((groups, outputs))
        return np.asarray(self._layer.bias.numpy().astype(np.float64).reshape(groups, outputs))

    def _set(self, weights: Array, constant: Array) -> None:
        set_matrices(self._layer, weights)
        flat = constant.reshape(-1)
        if self._layer.bias is not None:
            overwrite(self._layer.bias, flat.astype(self._layer.bias.numpy().dtype))
        elif self._mean is not None and self._home is not None:
            overwrite(self._mean, (self._home - flat).astype(self._home.dtype))


def _error(x: Array, y: Array, weights: Array, constant: Array) -> float:
    """The square of what is missing, as a share of the variance of what is wanted."""
    missing = x @ weights.astype(np.float32) + constant[:, None].astype(np.float32) - y
    around = y - y.mean(axis=1, keepdims=True)
    return float(np.square(missing).sum(dtype=np.float64) / max(np.square(around).sum(dtype=np.float64), 1e-30))


def total_rows(calls: Sequence[Sequence[Seen]]) -> int:
    """How many rows a layer has over all batches and calls that a refit is made of."""
    return sum(len(seen.rows) - seen.held for batch in calls for seen in batch)
