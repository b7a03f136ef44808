"""How much each unit matters to the training loss, from gradients: Taylor's first term, or the second one's diagonal.

Masking a unit sets its slice w of every consumer's weights to 0, which is exact; its own filters are worth nothing
then and count no more. With the gradient g of a batch's loss L, to first order L changes by sum(w * g), and

    taylor  the mean over batches of (sum w * g)^2    (Molchanov et al. 2019, "Importance Estimation for Neural Network
                                                      Pruning", equation 8, there of the producers' weights)
    obd     B / 2 * sum(w^2 * the mean over batches of g^2)    (LeCun et al. 1990, "Optimal Brain Damage", equation 5)

The latter's diagonal of the Hessian is the empirical Fisher information (Theis et al. 2018, "Faster Gaze Prediction
with Dense Networks and Fisher Pruning"), from batches of B samples, whose gradients cancel out on average.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import paddle
from paddle import Tensor, nn

from paddleprune.console import progress
from paddleprune.errors import ConfigError, PaddlePruneError
from paddleprune.graph import ChannelGraph
from paddleprune.graph.inputs import leaves, map_leaves
from paddleprune.graph.modes import differentiable
from paddleprune.graph.tensors import named_tensors
from paddleprune.interfaces import Array, Batch, Loss
from paddleprune.measure.evaluation import flatten
from paddleprune.sensitivity.criteria.importance import Importance
from paddleprune.settings import DataCriterion

BATCH = 8
"""Samples whose gradients are added up before their size is taken: of more, they cancel out."""
Term = Callable[[Array, Array], Array]
"""(numbers of a weight, their gradient) -> what each of them counts; in double precision."""


class Batches(Protocol):
    """Labelled samples, in batches."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


def importance_by_gradients(
    layer: nn.Layer, graph: ChannelGraph, loss: Loss, batches: Collection[Batch], criterion: DataCriterion
) -> Importance:
    """How much removing each unit would change the training loss.

    Args:
        layer: the dense network; left as it was, but for its gradients, which are cleared.
        graph: its channel graph.
        loss: what training minimises.
        batches: labelled samples, a few a batch.
        criterion: "taylor" or "obd".

    Raises:
        ConfigError: the loss can't be computed, or is no number.
    """
    if criterion == "taylor":
        total = np.square(unit_sums(layer, graph, loss, batches, np.multiply)).mean(axis=0)
    else:
        sizes = [len(leaves(list(inputs))[0]) for inputs, _ in batches]
        found = unit_sums(layer, graph, loss, batches, lambda weight, slope: np.square(weight * slope))
        total = np.mean(found * np.array(sizes)[:, None], axis=0) / 2
    if not np.isfinite(total).all():
        raise ConfigError(f"{criterion} can't score units: the loss or its gradient is no number for some samples")
    return Importance(criterion, {g.name: tuple(total[list(g.units)].tolist()) for g in graph.prunable})


def unit_sums(layer: nn.Layer, graph: ChannelGraph, loss: Loss, batches: Batches, term: Term) -> Array:
    """The sum of a term over what masking a unit sets to 0, for each batch: [batches, units].

    Args:
        layer: the dense network, in evaluation mode meanwhile; its gradients are cleared.
        graph: its channel graph.
        loss: what training minimises.
        batches: labelled samples; gradients are added up over a batch.
        term: what each weight counts.

    Raises:
        ConfigError: the loss can't be computed.
    """
    tensors, quiet = named_tensors(layer), np.fromiter(graph.quiet, np.int64)
    rows = []
    with _all_differentiable(layer, tensors, graph), progress("gradients", len(batches)) as bar:
        for inputs, targets in batches:
            layer.clear_gradients()
            _backward(layer, loss, inputs, targets)
            row = np.zeros(graph.numbers)
            for axis in graph.axes:
                tensor = tensors[axis.parameter]
                if axis.role != "index" and tensor.grad is not None:
                    counts = axis.role == "read" or np.isin(axis.units, quiet)
                    weight, slope = (part.numpy().astype(np.float64) for part in (tensor, tensor.grad))
                    product = np.moveaxis(term(weight, slope), axis.axis, 0)
                    np.add.at(row, axis.units, product.reshape(len(product), -1).sum(axis=1) * counts)
            rows.append(row)
            bar.advance()
    layer.clear_gradients()
    return np.array(rows)


def _backward(layer: nn.Layer, loss: Loss, inputs: tuple[Array, ...], targets: Any) -> None:
    try:
        outputs = flatten(layer(*map_leaves(paddle.to_tensor, list(inputs))))
        loss(outputs, map_leaves(paddle.to_tensor, targets)).backward()
    except PaddlePruneError:
        raise
    except Exception as error:
        said = next(iter(str(error).strip().splitlines()[-1:]), "no message")
        raise ConfigError(
            f"the loss of what the network gives in evaluation mode can't be computed: {type(error).__name__}: {said}"
        ) from error


@contextmanager
def _all_differentiable(layer: nn.Layer, tensors: Mapping[str, Tensor], graph: ChannelGraph) -> Iterator[None]:
    """While open, the layer is in evaluation mode, and frozen parameters have gradients, too."""
    frozen = [tensors[name] for name in graph.parameters if name in tensors and tensors[name].stop_gradient]
    with differentiable(layer):
        _freeze(frozen, False)
        try:
            yield
        finally:
            _freeze(frozen, True)


def _freeze(tensors: Iterable[Tensor], stop: bool) -> None:
    for tensor in tensors:
        tensor.stop_gradient = stop
