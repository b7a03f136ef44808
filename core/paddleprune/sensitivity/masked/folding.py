"""Batch norms folded into the convolutions before them, once for all the programs that are cut from a network.

Paddle Inference would do the same for each program anew, by running a small program for each batch norm: four
fifths of the time that it takes to load one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from paddleprune.graph.tensors import named_tensors
from paddleprune.sensitivity.masked.flow import Flow

_CONVOLUTIONS = ("pd_op.conv2d", "pd_op.depthwise_conv2d")


@dataclass(frozen=True)
class Folded:
    """What folding changes.

    Attributes:
        shifts: batch norm -> the operation that declares its bias: it only adds that to the convolution now.
        weights: Paddle's name of a parameter -> its new values.
        gone: operations that declare what isn't read any more.
    """

    shifts: Mapping[int, int]
    weights: Mapping[str, Tensor]
    gone: frozenset[int]


def fold(layer: nn.Layer, flow: Flow) -> Folded:
    """Fold every batch norm that follows a convolution, where neither is used otherwise."""
    captured, tensors = flow.captured, named_tensors(layer)
    uses: dict[Any, int] = {}
    for values in [*flow.reads, captured.outputs]:
        for value in values:
            uses[value.id] = uses.get(value.id, 0) + 1
    shifts: dict[int, int] = {}
    weights: dict[str, Tensor] = {}
    gone: set[int] = set()
    for index, norm in enumerate(captured.ops):
        found = _foldable(flow, norm, uses)
        if found is None:
            continue
        declared = [captured.ops[i] for i in found]
        weight, mean, variance, scale, bias = (tensors[str(captured.parameter(raw))].numpy() for raw in declared)
        factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + norm.attrs()["epsilon"])
        folded = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
        for raw, values in ((declared[0], folded.astype(weight.dtype)), (declared[4], bias - mean * factor)):
            weights[raw.attrs()["parameter_name"]] = paddle.to_tensor(values, weight.dtype.name, place="cpu")
        shifts[index] = found[4]
        gone |= set(found[1:4])
    return Folded(shifts, weights, frozenset(gone))


def _foldable(flow: Flow, norm: Any, uses: Mapping[Any, int]) -> list[int] | None:
    """What declares the convolution's weight and the norm's mean, variance, scale and bias; None if it can't be."""
    if norm.name() != "pd_op.batch_norm_" or not norm.attrs()["is_test"] or norm.attrs()["data_format"] != "NCHW":
        return None
    sources = [value for value in norm.operands_source() if value.initialized()]
    if len(sources) < 5 or uses[sources[0].id] != 1:
        return None
    convolution = flow.captured.ops[flow.maker[sources[0].id]]
    if convolution.name() not in _CONVOLUTIONS or convolution.attrs()["data_format"] != "NCHW":
        return None
    parameters = [convolution.operands_source()[1], *sources[1:]]
    found = [flow.maker[value.id] for value in parameters]
    lone = all(uses[value.id] == 1 for value in parameters)
    return found if lone and all(flow.captured.parameter(flow.captured.ops[i]) for i in found) else None
