"""The moving average of the weights: a steadier network than that of the last step (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from paddle import nn

from paddleprune.errors import CheckpointError
from paddleprune.interfaces import Array
from paddleprune.training.optimizer import trainable
from paddleprune.training.weights import set_tensor, to_array

_RAW = "/raw"
"""Follows the name of a weight as the last step left it, where the checkpoint's own weights are the average."""


class Average:
    """The average of a layer's trainable weights over the steps.

    After step n it moves towards them by 1 - min(decay, (1 + n) / (10 + n)), so that the first weights are soon
    forgotten. Statistics of norms are averages already and are left alone.

    Args:
        layer: what is trained.
        decay: what each step leaves of the average, once there were many.

    Attributes:
        steps: how many there were.
    """

    def __init__(self, layer: nn.Layer, decay: float) -> None:
        self._layer, self._decay, self.steps = layer, decay, 0
        self._mean = {name: tensor.detach().clone() for name, tensor in trainable(layer).items()}

    def update(self) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        kept = min(self._decay, (1 + self.steps) / (10 + self.steps))
        for name, tensor in trainable(self._layer).items():
            mean = self._mean[name]
            mean.set_value(mean + (tensor.detach() - mean) * (1 - kept))

    @contextmanager
    def applied(self) -> Iterator[dict[str, Array]]:
        """While open, the layer has the averaged weights; yields those of the last step, to be saved."""
        raw = {name: to_array(tensor) for name, tensor in trainable(self._layer).items()}
        for name, tensor in trainable(self._layer).items():
            tensor.set_value(self._mean[name])
        try:
            yield {name + _RAW: array for name, array in raw.items()}
        finally:
            for name, tensor in trainable(self._layer).items():
                set_tensor(tensor, raw[name])

    def restore(self, state: Mapping[str, Array], steps: int) -> dict[str, Array]:
        """Take the layer's weights as the average, and give it those of the last step.

        Args:
            state: of the optimizer, with the weights that `applied` gave.
            steps: how many there were.

        Returns:
            The state without those weights.

        Raises:
            CheckpointError: it lacks some.
        """
        self.steps = steps
        for name, tensor in trainable(self._layer).items():
            if name + _RAW not in state:
                raise CheckpointError(f"the state holds no {name + _RAW!r}: resume an epoch_N of a run with `ema`")
            self._mean[name] = tensor.detach().clone()  # a pruned checkpoint has made it smaller
            set_tensor(tensor, state[name + _RAW])
        return {name: array for name, array in state.items() if not name.endswith(_RAW)}
