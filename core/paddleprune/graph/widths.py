"""Attributes of layers that count what a cut removes: `num_heads`, `head_dim`."""

from __future__ import annotations

import numpy as np
from paddle import nn

from paddleprune.graph.channels import Width
from paddleprune.graph.walker import Walker

_NAMES = {
    "heads": ("num_heads", "n_heads", "heads", "nhead", "num_attention_heads", "n_head"),
    "dims": ("head_dim", "dim_head", "head_size", "attention_head_size", "d_head"),
}


def find_widths(layer: nn.Layer, walker: Walker) -> list[Width]:
    """Which attributes of which layers say how many heads there are, or how wide they are.

    They are those of the layers that hold the producers of queries, keys and values, if they have the right number.
    What one attribute counts is tied together.
    """
    sublayers = dict(layer.named_sublayers(include_self=True))
    makers = _makers(walker)
    found: dict[tuple[str, str], Width] = {}
    for grid in walker.heads:
        units = grid[:, 0]
        owners = {name for atom in walker.table.find(units).tolist() for name in makers.get(atom, ())}
        for holder in {above for name in owners for above in _above(name)}:
            for attribute in _NAMES[walker.attention]:
                if vars(sublayers[holder]).get(attribute) == len(units):
                    width = found.setdefault((holder, attribute), Width(holder, attribute, units))
                    walker.table.unite(width.units, units, f"{holder}.{attribute} counts them too")
    return list(found.values())


def _makers(walker: Walker) -> dict[int, set[str]]:
    """Atom -> the parameters that own it."""
    found: dict[int, set[str]] = {}
    for (name, _), said in walker.axes.items():
        if "own" in said.roles:
            for atom in np.unique(walker.table.find(said.atoms)).tolist():
                found.setdefault(atom, set()).add(name)
    return found


def _above(parameter: str) -> list[str]:
    """The layer that holds a parameter, and the one that holds that."""
    parts = parameter.split(".")[:-1]
    return [".".join(parts), ".".join(parts[:-1])]
