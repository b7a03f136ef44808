"""Reductions: over space channels stay; over channels a zeroed one isn't a missing one, so they are protected."""

from __future__ import annotations

import numpy as np

from paddleprune.graph.rules.common import present, shape_of, unknown
from paddleprune.graph.trace import Op
from paddleprune.graph.walker import Walker


def reduce(walker: Walker, op: Op) -> None:
    """Over space: channels stay. Over channels: a zeroed channel isn't a missing one, so they are protected."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    axes = op.attrs.get("axis")
    if axes is None:
        axes = walker.constant(op.inputs[1]) if len(op.inputs) > 1 else []
    if axes is None or walker.is_parameter(x):
        return unknown(walker, op)
    rank = len(shape_of(x))
    axes = [i % rank for i in np.atleast_1d(axes).astype(int).tolist()] or list(range(rank))
    atoms = walker.get(x)
    if any(atoms.shape[i] > 1 for i in axes) or len(axes) == rank:
        walker.fix(x, f"{op.name} over the channel axis at {op.where}")
        return None
    kept = [n for i, n in enumerate(atoms.shape) if i not in axes]
    return walker.put(y, atoms if len(shape_of(y)) == rank else atoms.reshape(kept))


def softmax(walker: Walker, op: Op) -> None:
    """Along space: channels stay. Along channels: protected."""
    x = present(op.inputs[0])
    atoms = walker.get(x)
    if atoms.shape[op.attrs.get("axis", -1)] > 1:
        walker.fix(x, f"{op.name} over the channel axis at {op.where}")
    walker.put(op.outputs[0], atoms)
