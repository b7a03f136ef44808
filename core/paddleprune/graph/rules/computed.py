"""Weights that the forward computes, instead of holding them: they can't be cut, but they are listed and counted."""

from __future__ import annotations

import math

from paddleprune.graph.rules.common import shape_of
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker

_WAYS_OUT = (
    ("weight_norm", "paddle.nn.utils.remove_weight_norm makes one weight of them"),
    ("spectral_norm", "train without spectral norm, or store the normalized weight as the layer's own"),
    ("quant", "trace before quantization, and quantize what is left"),
    ("slice", "hold the part as a parameter of its own"),
)
"""A part of an operation's or parameter's name -> what undoes it in Paddle."""


def computed(walker: Walker, op: Op, weight: Value, positions: int) -> None:
    """Protect what an operation reads, say where its weight comes from, list that, and count its FLOPs.

    Args:
        walker: the walker.
        op: a convolution or the like.
        weight: its weight, which is no parameter.
        positions: how often each number of the weight is multiplied for one image.
    """
    names, kinds, moves = _origin(walker, weight)
    size = math.prod(shape_of(weight))
    main = _main(walker, names, size)
    reason = f"the weight of {op.name} at {op.where} {_told(walker, weight, main, names, kinds, moves)}"
    for value in op.inputs:
        if value is not None and walker.touches(value):
            walker.fix(value, reason)
    if main is not None:
        walker.lose(main, reason)
    walker.count(size * positions)


def _main(walker: Walker, names: list[str], size: int) -> str | None:
    """The parameter that is most of a weight: the nearest one that is large enough, and no vector, if there is one."""
    matrices = [name for name in names if sum(n > 1 for n in walker.shapes[name]) > 1]
    large = [name for name in matrices if math.prod(walker.shapes[name]) >= size]
    return next(iter([*large, *matrices, *names]), None)


def _told(walker: Walker, weight: Value, main: str | None, names: list[str], kinds: set[str], moves: bool) -> str:
    if weight.id in walker.strangers:
        return "is no parameter of the network: hold layers in nn.LayerList, not in a plain list"
    if main is None:
        return "is computed from the input: it can't be cut"
    if moves:
        return f"is computed from {main} and the input, for each input anew: it can't be cut"
    hints = {*kinds, *_reparametrized(names)}
    way_out = next((said for part, said in _WAYS_OUT if any(part in hint for hint in hints)), None)
    return f"is computed in the forward from {main}: {way_out or 'store the result as the parameter, before the trace'}"


def _reparametrized(names: list[str]) -> set[str]:
    """Paddle's own names of what weight norm and spectral norm make of a weight."""
    ends = {name.rpartition("_")[2] for name in names}
    return {*(["weight_norm"] if {"g", "v"} <= ends else ()), *(["spectral_norm"] if "orig" in ends else ())}


def _origin(walker: Walker, weight: Value) -> tuple[list[str], set[str], bool]:
    """The parameters that a value is computed from, the nearest first; by which operations; whether from an input."""
    names: dict[str, None] = {}
    kinds: set[str] = set()
    waiting, known, moves = [weight], {weight.id}, False
    while waiting:
        value = waiting.pop(0)
        if value.id in walker.views:
            names.setdefault(walker.views[value.id].name)
            continue
        op = walker.makers.get(value.id)
        if op is None:
            continue
        kinds.add(op.name)
        moves = moves or op.name == "data"
        for source in op.inputs:
            if source is not None and source.id not in known:
                known.add(source.id)
                waiting.append(source)
    return list(names), kinds, moves
