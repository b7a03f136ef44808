"""What each kind of operation does to channel atoms: one table, at the end of the file.

A rule takes the walker and the operation. It reads the atoms of the inputs, ties, fixes or moves them,
and puts those of the outputs. An operation without a rule protects what it touches, by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from paddleprune.graph.rules.common import NotCovered, present, unknown
from paddleprune.graph.rules.follow import batch_norm, follow, prelu, spatial
from paddleprune.graph.rules.move import concat, pack, reshape, split, transpose, unpack
from paddleprune.graph.rules.produce import convolution, linear, matrix_product
from paddleprune.graph.rules.reduce import reduce, softmax
from paddleprune.graph.rules.unify import pointwise
from paddleprune.graph.trace import Op
from paddleprune.graph.walker import Walker

Rule: TypeAlias = Callable[[Walker, Op], None]


def apply(walker: Walker, op: Op) -> None:
    """Apply the rule of an operation, or protect what it touches."""
    try:
        RULES.get(op.name, unknown)(walker, op)
    except NotCovered:
        unknown(walker, op)


def constant(walker: Walker, op: Op) -> None:
    """Made out of nothing."""
    walker.constants[present(op.outputs[0]).id] = op.attrs.get("value")


def ignore(walker: Walker, op: Op) -> None:
    """Inputs of the network, and marks that compute nothing."""


def _table() -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    kinds: list[tuple[Rule, str]] = [
        (convolution, "conv2d conv3d depthwise_conv2d conv2d_transpose conv3d_transpose depthwise_conv2d_transpose"),
        (linear, "matmul"),
        (matrix_product, "bmm"),
        (batch_norm, "batch_norm batch_norm_"),
        (prelu, "prelu"),
        (follow, "relu relu_ relu6 leaky_relu elu selu celu gelu silu swish mish hardswish hardsigmoid hardtanh"),
        (follow, "sigmoid tanh softplus softsign logsigmoid exp log sqrt rsqrt square abs pow clip sign"),
        (follow, "dropout assign share_data share_data_ cast scale scale_"),
        (spatial, "pool2d pool3d max_pool2d_with_index bilinear_interp nearest_interp bicubic_interp pad pad3d"),
        (pointwise, "add add_ subtract subtract_ multiply multiply_ divide maximum minimum"),
        (reshape, "reshape reshape_ flatten flatten_ squeeze squeeze_ unsqueeze unsqueeze_"),
        (transpose, "transpose"),
        (concat, "concat"),
        (split, "split split_with_num"),
        (pack, "builtin.combine"),
        (unpack, "builtin.split"),
        (reduce, "mean sum max min amax amin prod"),
        (softmax, "softmax log_softmax"),
        (constant, "full full_int_array full_"),
        (ignore, "data builtin.shadow_output fetch"),
    ]
    for rule, names in kinds:
        for name in names.split():
            rules[name] = rule
    return rules


RULES = _table()
