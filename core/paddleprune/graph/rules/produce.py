"""Own and read: parameters that make channels out of channels."""

from __future__ import annotations

import math

import numpy as np

from paddleprune.graph.rules.common import present, put_along, shape_of, unknown
from paddleprune.graph.trace import Op
from paddleprune.graph.walker import Walker


def convolution(walker: Walker, op: Op) -> None:
    """The filters own the output's channels, their slices read the input's."""
    x, weight, y = present(op.inputs[0]), present(op.inputs[1]), present(op.outputs[0])
    if not walker.is_parameter(weight) or walker.is_parameter(x):
        return unknown(walker, op)
    transposed = "transpose" in op.name
    groups = op.attrs.get("groups", 1)
    channel = len(shape_of(x)) - 1 if op.attrs.get("data_format", "NCHW").endswith("C") else 1
    read = walker.vector(x, channel, op)
    count_in, count_out = shape_of(x)[channel], shape_of(y)[channel]
    if groups == count_in and groups > 1:
        made = np.repeat(read, count_out // count_in)
        walker.note(weight, 0, "follow", read if transposed else made)
        if transposed and count_out != count_in:
            walker.table.fix(read, f"a transposed depthwise convolution with a multiplier at {op.where}")
    else:
        walker.read(weight, channel, read)
        made = walker.table.fresh(count_out)
        walker.table.tie_rows(made, groups)
        walker.table.tie_rows(read, groups)
        if transposed and groups > 1:
            walker.note(weight, 0, "read", read)
            walker.note(weight, 1, "own", made.reshape(groups, -1)[0])
        else:
            walker.note(weight, 0 if transposed else 1, "read", read.reshape(groups, -1)[0])
            walker.note(weight, 1 if transposed else 0, "own", made)
    spatial = math.prod(n for i, n in enumerate(shape_of(x if transposed else y)) if i not in (0, channel))
    walker.use(weight, spatial)
    put_along(walker, y, channel, made)


def linear(walker: Walker, op: Op) -> None:
    """A matrix product. With a parameter on the right, its columns own and its rows read."""
    x, weight, y = present(op.inputs[0]), present(op.inputs[1]), present(op.outputs[0])
    if not walker.is_parameter(weight) or walker.is_parameter(x):
        return matrix_product(walker, op)
    if op.attrs.get("transpose_x") or len(shape_of(weight)) != 2:
        return unknown(walker, op)
    row, column = (1, 0) if op.attrs.get("transpose_y") else (0, 1)
    read = walker.vector(x, -1, op)
    walker.note(weight, row, "read", read)
    walker.read(weight, len(shape_of(x)) - 1, read)
    made = walker.table.fresh(shape_of(weight)[column])
    walker.note(weight, column, "own", made)
    walker.use(weight, math.prod(shape_of(x)[1:-1]))
    put_along(walker, y, len(shape_of(y)) - 1, made)


def matrix_product(walker: Walker, op: Op) -> None:
    """Of two activations: protects both."""
    for value in op.inputs:
        walker.fix(present(value), f"a matrix product of activations at {op.where}")
    x, y = present(op.inputs[0]), present(op.outputs[0])
    inner = shape_of(x)[-2 if op.attrs.get("transpose_x") and len(shape_of(x)) > 1 else -1]
    walker.fixed_flops += math.prod(shape_of(y)[1:]) * inner
