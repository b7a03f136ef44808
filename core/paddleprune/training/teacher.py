"""What a network learns from a teacher beside the labels: its outputs, and what its layers give.

Hinton et al., "Distilling the Knowledge in a Neural Network" (2015), section 2, of outputs; Romero et al., "FitNets"
(2015), section 2.2, of layers, but without regressors between the two: each channel of a cut network is one of the
dense one's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import paddle
from paddle import Tensor, nn

from paddleprune.errors import ConfigError
from paddleprune.graph.modes import in_mode
from paddleprune.interfaces import Array, Distillation
from paddleprune.measure.evaluation import flatten

_LEAST = 1e-6
"""The variance of a layer that gives the same everywhere."""


class Teacher:
    """A trained network beside the one that learns.

    Args:
        layer: it; runs in evaluation mode, and learns nothing.
        term: how far outputs are from its own.
        outputs: what that counts beside the loss.
        features: what the mean over the layers in `channels` counts: the share of the variance of what they give here
            that the other network's layers don't give.
        channels: names of layers that both networks have -> which of their channels the other one still has; None
            for all.
    """

    def __init__(
        self,
        layer: nn.Layer,
        term: Distillation,
        outputs: float,
        features: float = 0.0,
        channels: Mapping[str, Array | None] | None = None,
    ) -> None:
        self.layer, self._term, self._outputs, self._features = layer, term, outputs, features
        chosen = channels or {}
        self._channels = {n: None if c is None else paddle.to_tensor(c.astype("int64")) for n, c in chosen.items()}

    @contextmanager
    def beside(self, layer: nn.Layer) -> Iterator[Seen]:
        """While open, what the layers of the other network give is noted."""
        with _noting(layer, self._channels if self._features else ()) as seen:
            yield seen

    def loss(self, inputs: Sequence[Tensor], outputs: tuple[Tensor, ...], seen: Seen) -> Tensor:
        """What the other network has to learn: a scalar.

        Args:
            inputs: of the batch.
            outputs: the other network's.
            seen: what its layers gave.

        Raises:
            ConfigError: the outputs have other shapes than the teacher's.
        """
        with paddle.no_grad(), in_mode(self.layer, train=False), self.beside(self.layer) as own:
            wanted = flatten(self.layer(*inputs))
        total = paddle.zeros([])
        if self._outputs:
            _check(outputs, wanted)
            total = total + self._outputs * self._term(outputs, wanted)
        missed = [_missed(seen[name], own[name], self._channels[name]) for name in own if name in seen]
        return total + self._features * sum(missed[1:], missed[0]) / len(missed) if missed else total


Seen = dict[str, Tensor]
"""Layer -> what it gave last."""


def squared_error(outputs: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> Tensor:
    """How far outputs are from a teacher's, for any task: the share of its variance that is missed, the mean over them.

    Auxiliary outputs, that the teacher lacks in evaluation mode, aren't compared.
    """
    terms = [_missed(one, other, None) for one, other in zip(outputs, wanted, strict=False)]
    return sum(terms[1:], terms[0]) / len(terms)


def _missed(given: Tensor, wanted: Tensor, channels: Tensor | None) -> Tensor:
    if channels is None:
        goal = wanted
    else:
        first = given.shape[1] == channels.shape[0]  # else channels come last
        goal = wanted.index_select(channels, axis=1 if first else given.ndim - 1)
    return ((given - goal) ** 2).mean() / (goal.var(unbiased=False) + _LEAST)


@contextmanager
def _noting(layer: nn.Layer, names: Sequence[str] | Mapping[str, Any]) -> Iterator[Seen]:
    seen: Seen = {}
    sublayers = dict(layer.named_sublayers())
    hooks = [sublayers[name].register_forward_post_hook(_note(seen, name)) for name in names if name in sublayers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _note(seen: Seen, name: str) -> Any:
    def note(_: nn.Layer, __: Any, output: Any) -> None:
        seen[name] = output

    return note


def _check(outputs: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> None:
    mine, its = ([list(y.shape) for y in each] for each in (outputs, wanted))
    if mine[: len(its)] != its:
        raise ConfigError(
            f"the teacher's outputs have the shapes {its}, the model's {mine}; "
            "take a teacher of the same task and input size"
        )
