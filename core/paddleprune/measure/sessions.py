"""An exported file in the layer's place: what evaluates the one evaluates the other."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import nn

from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import Forward, flatten
from paddleprune.runtimes.modes import Session


def places_of(layer: nn.Layer, inputs: Sequence[Array]) -> list[int]:
    """For each output of a layer, in the order in which a metric gets them, its place among those of an exported file.

    The two differ where a layer returns a dict: files have its values by their keys.

    Args:
        layer: in evaluation mode.
        inputs: a batch; one sample suffices.
    """
    with paddle.no_grad():
        made = layer(*map(paddle.to_tensor, inputs))
    exported = [leaf for leaf in paddle.utils.flatten(made) if isinstance(leaf, paddle.Tensor)]
    wanted = [leaf for leaf in flatten(made) if isinstance(leaf, paddle.Tensor)]
    return [next(i for i, leaf in enumerate(exported) if leaf is one) for one in wanted]


def session_forward(session: Session, places: Sequence[int]) -> Forward:
    """What a loaded file computes, for metrics.

    Args:
        session: takes any number of samples.
        places: of the outputs, as `places_of` gives them.
    """

    def forward(inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        session.feed({f"input_{i}": array for i, array in enumerate(inputs)})
        session.run()
        outputs = session.outputs()
        return tuple(outputs[place] for place in places)

    return forward
