"""Units that training pulls towards zero, so that a later cut of them costs less."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.errors import ConfigError
from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Array
from paddleprune.settings import TrainSettings
from paddleprune.training.optimizer import trainable
from paddleprune.training.schedules import learning_rate_at

_TINY = 1e-12
_MOST = 0.5
"""The largest share of the mean size that a step takes."""


class Lasso:
    """A group lasso over units, as a proximal step after each step of the optimizer.

    A unit's weights are all that makes its channel and goes with it: the filters of every layer that gives it, their
    biases, and the scales and shifts of its norms; its size is their root mean square. A step takes the same off every
    unit of a group, but no more than there is: the proximal step of a sum of |w| * sqrt(n) over the units, |w| the
    length of a unit's n weights (Yuan and Lin 2006; of filters Wen et al. 2016). Then the group is scaled, so that its
    mean size is what it was. Units compete within a group: those that the loss doesn't hold come to 0, and no group
    ends empty. (Without the scaling filters before a batch norm shrink together, which changes nothing but how far a
    step moves them, and the norms' statistics lag behind: MobileNetV2 then fails in evaluation.)

    Args:
        layer: the network, cut as it is going to be trained.
        graph: its channel graph.
        shares: of a group's mean size, what each step takes: [steps].

    Raises:
        ConfigError: the network has no weights that belong to a unit that may go.
    """

    def __init__(self, layer: nn.Layer, graph: ChannelGraph, shares: Array) -> None:
        self._shares, tensors = shares, trainable(layer)
        made = [axis for axis in graph.axes if axis.role in ("own", "follow") and axis.parameter in tensors]
        there = np.concatenate([np.zeros(0, np.int64), *(axis.units for axis in made)])
        known = set(there.tolist())
        groups = [found for group in graph.prunable if (found := [unit for unit in group.units if unit in known])]
        if not groups:
            raise ConfigError("sparsity pulls at channels that may be cut, and this network has none: leave it out")
        count = sum(map(len, groups))
        slot_of = np.full(graph.numbers, count)  # what stays has the last slot
        slot_of[np.concatenate(groups)] = np.arange(count)
        slots = slot_of[there]
        order = np.argsort(slots, kind="stable")[: int((slots < count).sum())]
        each = [np.full(len(axis.units), np.prod(tensors[axis.parameter].shape) / len(axis.units)) for axis in made]
        weights = np.bincount(slots, np.concatenate(each), count + 1)[:count].astype("float32")
        self._weights, self._order = paddle.to_tensor(weights), paddle.to_tensor(order)
        self._sorted = paddle.to_tensor(slots[order])
        self._group = paddle.to_tensor(np.repeat(np.arange(len(groups)), [len(group) for group in groups]))
        ends = np.cumsum([len(axis.units) for axis in made])[:-1]
        self._parts = [
            (tensors[axis.parameter], axis.axis, paddle.to_tensor(mine))
            for axis, mine in zip(made, np.split(slots, ends), strict=True)
        ]

    @paddle.no_grad()  # type: ignore[untyped-decorator]
    def sizes(self) -> Any:
        """The root mean square of each unit's weights, group by group: [units]."""
        there = paddle.concat([_squares(tensor, axis) for tensor, axis, _ in self._parts]).gather(self._order)
        return (paddle.geometric.segment_sum(there, self._sorted) / self._weights).sqrt()

    @paddle.no_grad()  # type: ignore[untyped-decorator]
    def __call__(self, step: int) -> None:
        """Follow a step of the optimizer; they count from 0."""
        sizes = self.sizes()
        mean = self._mean(sizes)
        left = nn.functional.relu(sizes - mean * float(self._shares[step]))
        left = left * mean / self._mean(left).clip(min=_TINY)
        factors = paddle.concat([left / sizes.clip(min=_TINY), paddle.ones([1])])
        for tensor, axis, slots in self._parts:
            factor = factors.gather(slots).reshape([-1 if i == axis else 1 for i in range(tensor.ndim)])
            tensor.set_value(tensor * factor.astype(tensor.dtype))

    def _mean(self, sizes: Any) -> Any:
        """The mean of each unit's group: [units]."""
        return paddle.geometric.segment_mean(sizes, self._group).gather(self._group)


def growing(settings: TrainSettings, steps_per_epoch: int) -> Array:
    """What each step takes of the mean size: `sparsity` in all, whatever the learning rate and the number of steps.

    It follows the learning rate, as a gradient would, and grows in a line from nothing: little is decided while the
    network still learns what matters (Wang et al. 2021).
    """
    steps = range(settings.num_epochs * steps_per_epoch)
    found = np.array([learning_rate_at(settings, steps_per_epoch, step) * (step + 1) for step in steps])
    shares: Array = np.minimum(found * (settings.sparsity / found.sum()), _MOST)
    return shares


def _squares(tensor: Any, axis: int) -> Any:
    """The sum of squares at each position of an axis."""
    found, others = tensor.astype("float32") ** 2, [i for i in range(tensor.ndim) if i != axis]
    return found.sum(others) if others else found  # no axes would be all of them
