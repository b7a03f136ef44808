"""Masked equals shrunk: the proof that every plugin's networks are put to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from paddleprune.graph import ChannelGraph, Input, random_inputs
from paddleprune.graph.inputs import map_leaves, read_inputs
from paddleprune.graph.tensors import named_tensors, parameter_names
from paddleprune.interfaces import Array
from paddleprune.paddle_private.layers import batch_statistics
from paddleprune.pruning.certificate import Unlike, shrink_and_compare
from paddleprune.pruning.forwards import ForwardError, run

_SAMPLES = 32
"""Fewer, and a variance over 1x1 maps can be so small that rounding is amplified beyond any tolerance."""
_GAINS = (0.1, 0.5)
"""Of batch norms. With larger ones a random network of 150 layers amplifies rounding a thousandfold (in float64
its cuts are exact to 2e-15), as no trained one does.
"""
_NOTHING = 1e-3
"""What a scale that starts next to nothing may be (ConvNeXt's is 1e-6)."""


def settle(layer: nn.Layer, inputs: Sequence[Any], seed: int = 0) -> None:
    """Give a fresh network's batch norms statistics of real activations, and weights that aren't all alike.

    Without it the outputs of a deep fresh network fade to nothing, and any comparison passes. So do those of layers
    that start at zero, or next to it: heads, scales of residual branches. They get numbers that count.

    Args:
        layer: left in evaluation mode.
        inputs: for each argument of the forward its shape, or a nest of shapes, without the batch axis.
        seed: of the random inputs and weights.
    """
    generator = np.random.default_rng(seed)
    norms = [sub for sub in layer.sublayers() if isinstance(sub, (nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D))]
    for norm in norms:
        for tensor, low, high in ((norm.weight, *_GAINS), (norm.bias, -0.5, 0.5)):
            if tensor is not None:
                tensor.set_value(generator.uniform(low, high, tensor.shape).astype(np.float32))
    own = {id(tensor) for norm in norms for tensor in norm.parameters()}
    for name, parameter in layer.named_parameters():
        if id(parameter) not in own and not name.rpartition(".")[2].startswith("bias"):  # what is added hides nothing
            _wake(parameter, generator)
    wanted = tuple(map_leaves(lambda x: Input((_SAMPLES, *x.shape), x.dtype), entry) for entry in read_inputs(inputs))
    layer.train()
    with batch_statistics(norms), paddle.no_grad():
        layer(*map_leaves(paddle.to_tensor, list(random_inputs(wanted, seed))))
    layer.eval()


def _wake(parameter: Tensor, generator: np.random.Generator) -> None:
    """Give a parameter that is next to nothing everywhere numbers like those of a trained one."""
    shape = tuple(parameter.shape)
    if str(parameter.dtype) != "paddle.float32" or float(parameter.abs().max()) > _NOTHING:
        return
    sizes = [n for n in shape if n > 1]
    if len(sizes) > 1:  # filters: of all but the output axis of a linear layer, or the first one of a convolution
        fan_in = math.prod(shape[:-1] if len(shape) == 2 else shape[1:])
        numbers = generator.standard_normal(shape) / math.sqrt(fan_in)
    else:
        numbers = generator.uniform(*_GAINS, shape) * generator.choice([-1, 1], shape)
    parameter.set_value(numbers.astype(np.float32))


def check_exact(
    layer: nn.Layer, graph: ChannelGraph, removed: Sequence[int], inputs: Sequence[Array], *, moves: bool = False
) -> float:
    """Remove units twice, by masking and by shrinking, and compare; the layer is restored bit for bit.

    Args:
        layer: the dense network that the graph was built from; `settle` it if it is a fresh one.
        graph: its channel graph.
        removed: the units.
        inputs: of the layer.
        moves: whether masking them must move the outputs by more than passes as rounding: otherwise their
            comparison proves little.

    Returns:
        The largest difference, as a share of the largest output.

    Raises:
        AssertionError: the outputs differ, the sizes aren't those predicted, or the layer isn't restored.
    """
    probe = tuple(inputs)
    dense = run(layer, probe, graph.trains, graph.ends.calls)
    try:
        undo, certificate = shrink_and_compare(layer, graph, removed, probe, dense=dense)
    except (ForwardError, Unlike) as error:
        raise AssertionError(f"the shrunk network doesn't do what the masked one does: {error}") from error
    try:
        tensors = named_tensors(layer)
        parameters = sum(int(np.prod(tensors[name].shape)) for name in parameter_names(layer))
        assert certificate.passed, f"outputs differ by {certificate.max_difference} of {certificate.scale}"
        assert not (moves and certificate.moves_too_little), f"the mask moves the outputs by {certificate.moved} only"
        assert parameters == graph.cost(removed).parameters, "the number of parameters isn't the predicted one"
    finally:
        undo(layer)
    again = run(layer, probe, graph.trains, graph.ends.calls)
    assert all(np.array_equal(a, b) for a, b in zip(dense.leaves, again.leaves, strict=True)), "it isn't restored"
    return certificate.max_difference / max(certificate.scale, 1e-12)
