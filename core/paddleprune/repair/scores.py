"""What no refit can give back: how much each unit costs once every layer that reads it has been refitted.

Removing a channel from a layer y = x W and refitting the rest raises the square of what y lacks by

    E = w' ([H^-1]_uu)^-1 w,      H the mean of x x', w the rows of W that read the channel

(Optimal Brain Surgeon, Hassibi and Stork 1993, here for whole channels as in Optimal Brain Compression, Frantar and
Alistarh 2022). Each output is weighted by how much the network's outputs move with it, the mean square of a random
projection's gradient: a diagonal Gauss-Newton matrix. So the scores of all layers are in one unit and need no labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.console import progress
from paddleprune.errors import PlanError
from paddleprune.graph import ChannelGraph
from paddleprune.graph.atoms import FIXED, Atoms
from paddleprune.graph.inputs import map_leaves
from paddleprune.graph.modes import differentiable
from paddleprune.graph.tensors import viewed
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import flatten
from paddleprune.repair.least_squares import Sums
from paddleprune.repair.readers import by_channel, inputs_at, matrices, output_axis, taps_of
from paddleprune.repair.record import Record, draw_rows, part_of, readable, rows_for, size_of

SAMPLES = 128
"""Samples that scores come from, at most."""
_BATCH = 16
"""Samples of one pass with gradients."""
_WIDEST = 4608
"""Inputs of a layer up to which its refit is foreseen. Of wider ones the channels count as if nothing made up for
them: that overrates them, and saves a matrix of all pairs of inputs."""
_DAMPING = 1e-2
"""Added to H's diagonal, as a share of its mean: what a refit's ridge leaves undone."""


class Reader:
    """One layer, or one of its groups, that reads channels: what each of them is worth to it.

    Args:
        gram: [d, d], the mean product of its inputs; or [taps, taps, channels], of each channel alone.
        weight: [d, outputs]; the channels lie within the taps.
        weights: [outputs], how much each output matters.
        reads: [channels], the unit of each channel that it reads.
        makes: [outputs], the unit of each output.
        name: of the layer.
    """

    def __init__(self, gram: Array, weight: Array, weights: Array, reads: Atoms, makes: Atoms, name: str = "") -> None:
        self.reads, self._makes, self._weights, self.name = reads, makes, weights.copy(), name
        self._weight = weight.astype(np.float64)
        self._alive = reads != FIXED
        self._scores: Array | None = None  # of the channels that are alive, until something changes
        self._alone = gram if gram.ndim == 3 else None
        if self._alone is None:
            pull = _DAMPING * np.trace(gram) / len(gram) + 1e-12
            self._inverse = np.linalg.inv(gram + pull * np.eye(len(gram)))

    def add_scores(self, scores: Array) -> None:
        """Add what each unit's removal would cost this layer to [units]."""
        if self._scores is None:
            self._scores = self._scored(np.flatnonzero(self._alive))
        np.add.at(scores, self.reads[self._alive], self._scores)

    def _scored(self, channels: Array) -> Array:
        taps = len(self._weight) // len(self.reads)
        rows = self._weight.reshape(taps, len(self.reads), -1)[:, channels].transpose(1, 0, 2)
        worth = (rows * self._weights) @ rows.transpose(0, 2, 1)  # [channels, taps, taps]
        return np.asarray((self._own(channels, taps) * worth).sum(axis=(1, 2)))

    def _own(self, channels: Array, taps: int) -> Array:
        """([H^-1]_uu)^-1 of each channel: [channels, taps, taps]."""
        if self._alone is not None:
            return np.asarray(self._alone[..., channels].transpose(2, 0, 1))
        count = len(self.reads)
        blocks = self._inverse.reshape(taps, count, taps, count)[:, channels, :, channels]  # [channels, taps, taps]
        return np.linalg.inv(blocks)

    def remove(self, gone: Array) -> None:
        """Refit the layer to the loss of some units, as far as its own samples tell.

        Args:
            gone: [units], whether each goes; FIXED never does.
        """
        makes = gone[self._makes]
        lost = self._alive & gone[self.reads]
        if not makes.any() and not lost.any():
            return
        self._scores = None
        self._weights[makes] = 0
        self._alive &= ~lost
        if not lost.any() or self._alone is not None:
            return
        rows = np.flatnonzero(np.tile(lost, len(self._weight) // len(lost)))
        columns = self._inverse[:, rows]
        share = np.linalg.solve(columns[rows], columns.T)
        self._weight -= share.T @ self._weight[rows]
        self._inverse -= columns @ share


def readers(layer: nn.Layer, graph: ChannelGraph, record: Record) -> list[Reader]:
    """Every layer that reads what may go, with what the dense network's samples say of it.

    Args:
        layer: the dense network.
        graph: its channel graph.
        record: the samples.
    """
    units = {(axis.parameter, axis.axis): axis.units for axis in graph.axes}
    reads = {(axis.parameter, axis.axis): axis.units for axis in graph.axes if axis.role == "read"}
    chosen: dict[str, tuple[Atoms, Atoms]] = {}
    for name, sub in readable(layer):
        weight, outputs = f"{name}.weight".removeprefix("."), output_axis(sub)
        found = reads.get((weight, 1 - outputs))
        if found is not None and name not in record.unread and (found != FIXED).any():
            none = np.full(graph.shapes[weight][outputs], FIXED)
            chosen[name] = found, units.get((weight, outputs), none)
    if not chosen:
        return []
    known = _statistics(layer, record, frozenset(chosen))
    parts = (known[name].split(sub, *chosen[name], name) for name, sub in readable(layer) if name in known)
    return [part for some in parts for part in some]


class _Statistics:
    """What samples say of one layer: the mean product of its inputs, and how much its outputs matter."""

    def __init__(self, layer: nn.Layer) -> None:
        groups, wide, outputs = matrices(layer).shape
        self._taps = taps_of(layer)
        self._sums = Sums(free=True) if wide <= _WIDEST else None
        self._alone = np.zeros((groups, self._taps, self._taps, wide // self._taps))
        self._count = 0
        self._slopes = np.zeros((groups, outputs))

    def add(self, x: Array) -> None:
        """Take in rows of its input: [groups, R, d]."""
        if self._sums is not None:
            self._sums.add(x, x[..., :0])
            return
        around = x - x.mean(axis=1, keepdims=True)
        split = around.reshape(*x.shape[:2], self._taps, -1)
        self._alone += np.einsum("grkc,grjc->gkjc", split, split, optimize=True)
        self._count += x.shape[1]

    def add_slopes(self, gradient: Array, samples: int) -> None:
        """Take in the gradient of its output, [rows, outputs], which belongs to some samples of all."""
        squares = np.square(gradient.astype(np.float64)).sum(axis=0)
        self._slopes += squares.reshape(self._slopes.shape) / samples

    def split(self, layer: nn.Layer, reads: Atoms, makes: Atoms, name: str) -> Iterator[Reader]:
        """A reader for each of the layer's groups."""
        weights = matrices(layer)
        grams = self._sums.gram() if self._sums is not None else self._alone / max(self._count, 1)
        for number, weight in enumerate(weights):
            own = (_part(reads, number, len(weight) // self._taps), _part(makes, number, weight.shape[1]))
            yield Reader(grams[number], weight, self._slopes[number], *own, name)


def _part(units: Atoms, number: int, size: int) -> Atoms:
    """The units of one group: those of an axis that all groups share, or the group's own."""
    return units if len(units) == size else units[number * size : (number + 1) * size]


def _statistics(layer: nn.Layer, record: Record, chosen: frozenset[str]) -> dict[str, _Statistics]:
    generator = np.random.default_rng(0)
    found = {name: _Statistics(sub) for name, sub in readable(layer) if name in chosen}
    batches = list(small_batches(record))
    samples = sum(size_of(batch) for batch in batches)
    with differentiable(layer) as others, progress("score the units", len(batches)) as bar:
        for batch in batches:
            _learn(layer, batch, samples, found, generator, others)
            bar.advance()
    return found


def _learn(
    layer: nn.Layer,
    batch: tuple[Any, ...],
    samples: int,
    found: Mapping[str, _Statistics],
    generator: np.random.Generator,
    others: Sequence[paddle.Tensor],
) -> None:
    """One pass forward and back; gradients of others are asked for, too, and left alone."""
    made: list[tuple[str, nn.Layer, paddle.Tensor]] = []
    size = size_of(batch)

    def watch(name: str) -> Any:
        def look(sub: nn.Layer, given: tuple[Any, ...], output: paddle.Tensor) -> paddle.Tensor:
            if not given:  # a call by keywords, of which nothing is known
                return output
            value, result = viewed(given[0]), viewed(output)
            rows = draw_rows(sub, result, rows_for(sub) * size / samples, generator)
            found[name].add(inputs_at(sub, value, result, rows))
            made.append((name, sub, output))
            return output.clone()  # what follows may write into it

        return look

    hooks = [sub.register_forward_post_hook(watch(name)) for name, sub in readable(layer) if name in found]
    try:
        outputs = flatten(layer(*map_leaves(_as_input, list(batch))))
    finally:
        for hook in hooks:
            hook.remove()
    moved = [_projection(output, generator) for output in outputs if _is_float(output)]
    if not moved:
        raise PlanError("the network's outputs are no floating-point numbers, so that units can't be scored by them")
    wanted = [*(output for _, _, output in made), *others]
    gradients = paddle.grad(sum(moved[1:], moved[0]), wanted, allow_unused=True)
    for (name, sub, _), gradient in zip(made, gradients, strict=False):
        if gradient is not None:
            found[name].add_slopes(by_channel(sub, viewed(gradient)), samples)


def _projection(output: paddle.Tensor, generator: np.random.Generator) -> paddle.Tensor:
    """A random mixture of an output's numbers, sample by sample, whose size doesn't depend on how many there are."""
    numbers = generator.standard_normal(output.shape).astype("float32")
    scale = max(np.prod(output.shape[1:]), 1) ** -0.5
    return (output.astype("float32") * paddle.to_tensor(numbers)).sum() * float(scale)


def _as_input(array: Array) -> paddle.Tensor:
    tensor = paddle.to_tensor(array)
    if _is_float(tensor):
        tensor.stop_gradient = False  # or nothing has a gradient where all weights are frozen
    return tensor


def _is_float(tensor: paddle.Tensor) -> bool:
    return "float" in str(tensor.dtype)


def small_batches(record: Record) -> Iterator[tuple[Any, ...]]:
    """The samples that scores come from, a few at a time."""
    left = SAMPLES
    for batch in record.batches:
        for start in range(0, min(size_of(batch), left), _BATCH):
            yield part_of(batch, start, min(start + _BATCH, start + left))
        left -= min(size_of(batch), left)
