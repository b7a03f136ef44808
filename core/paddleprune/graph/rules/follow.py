"""Follow: one number a channel, or none; height and width may change."""

from __future__ import annotations

import math

import numpy as np

from paddleprune.graph.atoms import FIXED
from paddleprune.graph.rules.common import present, shape_of
from paddleprune.graph.trace import Op
from paddleprune.graph.walker import Walker


def batch_norm(walker: Walker, op: Op) -> None:
    """Running mean, variance, scale and bias follow the channels."""
    x = present(op.inputs[0])
    channel = len(shape_of(x)) - 1 if op.attrs.get("data_format", "NCHW").endswith("C") else 1
    atoms = walker.vector(x, channel, op)
    for value in op.inputs[1:5]:
        if value is not None and walker.is_parameter(value):
            walker.note(value, 0, "follow", atoms)
    walker.put(op.outputs[0], walker.get(x))


def prelu(walker: Walker, op: Op) -> None:
    """A slope a channel follows it; a single slope is shared."""
    x, slope = present(op.inputs[0]), present(op.inputs[1])
    channel = len(shape_of(x)) - 1 if op.attrs.get("data_format", "NCHW").endswith("C") else 1
    if walker.is_parameter(slope) and math.prod(shape_of(slope)) > 1:
        walker.note(slope, 0, "follow", walker.vector(x, channel, op))
    walker.put(op.outputs[0], walker.get(x))


def follow(walker: Walker, op: Op) -> None:
    """Each position keeps its atom."""
    x = present(op.inputs[0])
    for value in op.outputs[:1]:
        walker.put(value, walker.get(x))
        if value is not None and walker.is_parameter(x):
            walker.parameters[value.id] = walker.parameters[x.id]


def spatial(walker: Walker, op: Op) -> None:
    """Height and width change, channels stay: the atoms may vary along the batch or channel axis only."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    atoms = walker.get(x)
    before, after = shape_of(x), shape_of(y)
    if any(n > 1 and before[i] != after[i] for i, n in enumerate(atoms.shape)) or sum(n > 1 for n in atoms.shape) > 1:
        walker.fix(x, f"{op.name} at {op.where} mixes channels")
        atoms = np.full([1] * atoms.ndim, FIXED)
    walker.put(y, atoms)
