"""From a layer to its channel graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from paddle import nn

from paddleprune.graph import rules
from paddleprune.graph.atoms import FIXED, Atoms
from paddleprune.graph.channels import Axis, ChannelGraph, Group
from paddleprune.graph.tensors import named_tensors, parameter_names
from paddleprune.graph.trace import trace
from paddleprune.graph.walker import Walker


def build_graph(layer: nn.Layer, shapes: Sequence[tuple[int, ...]]) -> ChannelGraph:
    """Trace a layer and find the groups of channels that can be removed from it.

    Args:
        layer: any layer that Paddle can trace; left as it was.
        shapes: shape of each input, batch axis included.

    Raises:
        GraphError: the layer can't be traced.
    """
    traced = trace(layer, shapes)
    tensors = named_tensors(layer)
    sizes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    walker = Walker(dict(traced.parameters), sizes)
    for op in traced.ops:
        rules.apply(walker, op)
    for value in traced.outputs:
        walker.fix(value, "feeds an output of the model")
    axes = [Axis(name, axis, role, walker.table.find(atoms)) for (name, axis), (role, atoms) in walker.axes.items()]
    return ChannelGraph(
        inputs=tuple(tuple(shape) for shape in shapes),
        groups=_groups(axes, walker.table.reasons()),
        axes=tuple(axes),
        reads=tuple(replace(read, units=walker.table.find(read.units)) for read in walker.reads),
        shapes=sizes,
        parameters=parameter_names(layer),
        uses=walker.uses,
        fixed_flops=walker.fixed_flops,
        uncounted=frozenset(walker.uncounted),
    )


def _groups(axes: Sequence[Axis], reasons: dict[int, str]) -> tuple[Group, ...]:
    """Units that share a producer axis share a group."""
    producers = [axis for axis in axes if axis.role == "own"]
    members: list[tuple[Axis, list[int]]] = [(axis, _in_order(axis.units)) for axis in producers]
    group_of: dict[int, int] = {}
    units_of: dict[int, list[int]] = {}
    first: dict[int, Axis] = {}
    for index, (axis, units) in enumerate(members):
        met = sorted({group_of[unit] for unit in units if unit in group_of})
        home = met[0] if met else index
        first.setdefault(home, axis)
        merged = list(dict.fromkeys([u for g in met for u in units_of.pop(g)] + units))
        units_of[home] = merged
        group_of.update(dict.fromkeys(merged, home))
    return tuple(_group(first[home].parameter, units_of[home], reasons) for home in sorted(units_of))


def _in_order(units: Atoms) -> list[int]:
    return [unit for unit in dict.fromkeys(units.tolist()) if unit != FIXED]


def _group(parameter: str, units: list[int], reasons: dict[int, str]) -> Group:
    free = tuple(unit for unit in units if unit not in reasons)
    why: str | None = None
    if not free:
        why = next((reasons[unit] for unit in units if unit in reasons), "it has no channels")
    elif len(units) == 1:
        why = "its channels stand or fall together, as one unit"
    return Group(parameter.removesuffix(".weight"), free, len(units), why)
