"""Masked equals shrunk: the proof that every plugin's networks are put to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.graph import ChannelGraph, Input, random_inputs
from paddleprune.graph.inputs import map_leaves, read_inputs
from paddleprune.graph.tensors import named_tensors, parameter_names
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import eager_forward
from paddleprune.pruning.certificate import shrink_and_compare

_SAMPLES = 32
"""Fewer, and a variance over 1x1 maps can be so small that rounding is amplified beyond any tolerance."""
_GAINS = (0.1, 0.5)
"""Of batch norms. With larger ones a random network of 150 layers amplifies rounding a thousandfold (in float64
its cuts are exact to 2e-15), as no trained one does.
"""


def settle(layer: nn.Layer, inputs: Sequence[Any], seed: int = 0) -> None:
    """Give a fresh network's batch norms statistics of real activations, and weights that aren't all alike.

    Without it the outputs of a deep fresh network fade to nothing, and any comparison passes.

    Args:
        layer: left in evaluation mode.
        inputs: for each argument of the forward its shape, or a nest of shapes, without the batch axis.
        seed: of the random inputs and weights.
    """
    generator = np.random.default_rng(seed)
    norms = [sub for sub in layer.sublayers() if isinstance(sub, (nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D))]
    momenta = [norm._momentum for norm in norms]
    for norm in norms:
        norm._momentum = 0.0
        for tensor, low, high in ((norm.weight, *_GAINS), (norm.bias, -0.5, 0.5)):
            if tensor is not None:
                tensor.set_value(generator.uniform(low, high, tensor.shape).astype(np.float32))
    wanted = tuple(map_leaves(lambda x: Input((_SAMPLES, *x.shape), x.dtype), entry) for entry in read_inputs(inputs))
    layer.train()
    with paddle.no_grad():
        layer(*map_leaves(paddle.to_tensor, list(random_inputs(wanted, seed))))
    layer.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm._momentum = momentum


def check_exact(layer: nn.Layer, graph: ChannelGraph, removed: Sequence[int], inputs: Sequence[Array]) -> float:
    """Remove units twice, by masking and by shrinking, and compare; the layer is restored bit for bit.

    Returns:
        The largest difference, as a share of the largest output.

    Raises:
        AssertionError: the outputs differ, the sizes aren't those predicted, or the layer isn't restored.
    """
    forward, probe = eager_forward(layer), tuple(inputs)
    dense = forward(probe)
    undo, certificate = shrink_and_compare(layer, graph, removed, probe)
    try:
        tensors = named_tensors(layer)
        parameters = sum(int(np.prod(tensors[name].shape)) for name in parameter_names(layer))
        assert certificate.passed, f"outputs differ by {certificate.max_difference} of {certificate.scale}"
        assert parameters == graph.cost(removed).parameters, "the number of parameters isn't the predicted one"
    finally:
        undo(layer)
    assert all(np.array_equal(a, b) for a, b in zip(dense, forward(probe), strict=True)), "the layer isn't restored"
    return certificate.max_difference / max(certificate.scale, 1e-12)
