"""From a layer to its channel graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.graph import rules
from paddleprune.graph.atoms import FIXED, Atoms
from paddleprune.graph.capture import Said
from paddleprune.graph.channels import Axis, ChannelGraph, Group, Product, Read, Width
from paddleprune.graph.ends import find_ends
from paddleprune.graph.inputs import read_inputs
from paddleprune.graph.residuals import find_branches
from paddleprune.graph.shifts import find_shifts
from paddleprune.graph.telling import is_slice
from paddleprune.graph.tensors import named_tensors, parameter_names
from paddleprune.graph.trace import Trace, Traces, trace, useful_ops
from paddleprune.graph.views import View
from paddleprune.graph.walker import ALONE, Attention, Walker
from paddleprune.graph.widths import find_widths
from paddleprune.graph.written import find_written

FEEDS_OUTPUT = ("feeds an output of the model", "feeds an output of the training forward")
"""Why what a forward returns stays: in evaluation mode, and in training mode where that is something else."""


def build_graph(
    layer: nn.Layer,
    inputs: Sequence[Any],
    *,
    attention: Attention = "heads",
    inexact: bool = False,
    depth: bool = False,
) -> ChannelGraph:
    """Trace a layer and find the groups of channels that can be removed from it.

    Args:
        layer: any layer that Paddle can trace; left as it was.
        inputs: for each argument of its forward a shape with the batch axis (float32), an InputSpec, an example,
            or a nest of them.
        attention: what attention loses: whole "heads", or "dims", the same offsets of every head.
        inexact: allow groups where a masked channel isn't a missing one (layer norm, group norm, a softmax or
            mean over channels): they are measured on the shrunk network.
        depth: look for residual branches, too, which may go as a whole.

    Raises:
        GraphError: the layer can't be traced.
    """
    wanted = read_inputs(inputs)
    traced = trace(layer, wanted)
    walker = walk(layer, traced, attention)
    widths, find = find_widths(layer, walker, traced.parts), walker.table.find
    written = find_written(layer, walker, traced)
    axes, along = tuple(_axes(walker)), walker.along()
    branches = find_branches(traced.evaluating, walker) if depth else ()
    fixed, blurred = _reasons(walker, inexact)
    return ChannelGraph(
        inputs=wanted,
        groups=_groups(axes, along, fixed, blurred),
        axes=axes,
        reads=tuple(Read(read.op, read.operand, read.axis, find(read.units)) for read in walker.reads),
        shapes=walker.shapes,
        parameters=parameter_names(layer),
        uses=walker.uses,
        products=(
            *(replace(p, axes=tuple(map(find, p.axes))) for p in walker.products),
            *([Product(walker.counted, ())] if walker.counted else ()),
        ),
        widths=(
            *(Width(w.layer, w.attribute, find(w.units)) for w in widths),
            *(w.size for w in written if w.needed),
        ),
        written=written,
        quiet=frozenset(int(unit) for atoms in walker.quiet for unit in find(atoms)),
        uncounted=frozenset(walker.uncounted),
        trains=traced.training is not None or traced.untraced is not None,
        untraced=traced.untraced,
        shifts=find_shifts(traced.evaluating),
        branches=branches,
        operations=traced.evaluating.names,
        ends=find_ends(traced.evaluating, walker, fixed, branches),
    )


def walk(layer: nn.Layer, traced: Traces, attention: Attention) -> Walker:
    """Apply every operation's rule, in order, and protect the outputs.

    What only the training forward does ties channels as anything else does, and costs nothing.
    """
    gone = {name for part in traced.parts for name in part.overwritten}
    tensors = {name: tensor for name, tensor in named_tensors(layer).items() if name not in gone}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    indices = {name: tensor.numpy() for name, tensor in tensors.items() if "int" in str(tensor.dtype)}
    walker = Walker(shapes, indices, attention)
    for part in traced.parts:
        useful = useful_ops(part) if part is traced.evaluating else set()
        walker.constants.update(part.numbers)
        walker.strangers |= part.strangers
        told, changed = _told(part)
        walker.told |= {value: value for value in told}
        walker.changed |= {value: value for value in changed}
        for identity, name in part.parameters.items():
            if name in shapes:
                walker.views[identity] = View(name, tuple(range(len(shapes[name]))))
        for op in part.ops:
            walker.at, walker.useful = op.index, op.index in useful
            rules.apply(walker, op)
    walker.list_lost()
    walker.settle_grids()
    for part, reason in reversed([*zip(traced.parts, FEEDS_OUTPUT, strict=False)]):
        for value in part.outputs:
            walker.fix(value, reason, foremost=True)
    return walker


def _told(part: Trace) -> tuple[set[str], set[str]]:
    """What can be told, and what is changed in parts that can: what runs once, or makes the same sizes in each run.

    Anything else may count other channels each time.
    """
    runs: dict[tuple[str, str], list[Said]] = {}
    for said in part.said:
        runs.setdefault((said.layer, said.call), []).append(said)
    told, changed = set[str](), set[str]()
    for (_, call), each in runs.items():
        if not is_slice(call) and len({said.sizes for said in each}) == 1:
            told.update(value for said in each for value in said.results)
        elif is_slice(call) and len(each) == 1:
            (changed if len(each[0].results) == 1 else told).add(each[0].results[-1])
    return told, changed


def _axes(walker: Walker) -> Iterator[Axis]:
    for (name, axis), said in walker.axes.items():
        roles = said.roles - {"follow"} or said.roles
        for role in sorted(roles):
            source = None if said.source is None else walker.table.find(said.source)
            yield Axis(name, axis, role, walker.table.find(said.atoms), source)


def _reasons(walker: Walker, allowed: bool) -> tuple[dict[int, str], dict[int, str]]:
    """Why atoms can't be removed, and why others can't be masked; without leave the second kind can't be removed."""
    fixed, inexact = walker.table.fixed(), walker.table.inexact()
    if allowed:
        return fixed, inexact
    return {**{atom: f"{why} (inexact=True would allow it)" for atom, why in inexact.items()}, **fixed}, {}


def _groups(
    axes: Sequence[Axis], along: Sequence[Atoms], fixed: Mapping[int, str], inexact: Mapping[int, str]
) -> tuple[Group, ...]:
    """Units that share a producer axis share a group."""
    producers = [axis for axis in axes if axis.role == "own"]
    group_of: dict[int, int] = {}
    units_of: dict[int, list[int]] = {}
    for index, axis in enumerate(producers):
        units = _in_order(axis.units)
        met = sorted({group_of[unit] for unit in units if unit in group_of})
        home = met[0] if met else index
        merged = list(dict.fromkeys([u for g in met for u in units_of.pop(g)] + units))
        units_of[home] = merged
        group_of.update(dict.fromkeys(merged, home))
    homes, limits = sorted(units_of), _limits([*(np.unique(axis.units) for axis in axes), *along], group_of, fixed)
    groups = [_group(units_of[home], limits.get(home, ()), fixed, inexact) for home in homes]
    return tuple(_named(groups, [producers[home] for home in homes]))


def _limits(
    axes: Sequence[Atoms], group_of: Mapping[int, int], fixed: Mapping[int, str]
) -> dict[int, tuple[tuple[int, ...], ...]]:
    """Group -> the sets of its units that lie along an axis together with nothing else: one of each must stay.

    A set that holds another one is left out: it keeps what that keeps.
    """
    found: dict[int, list[tuple[int, ...]]] = {}
    for units in sorted({tuple(axis.tolist()) for axis in axes}, key=len):
        home = group_of.get(units[0])
        if home is None or any(group_of.get(unit) != home or unit in fixed for unit in units):
            continue
        smaller = found.setdefault(home, [])
        if not any(set(limit) <= set(units) for limit in smaller):
            smaller.append(units)
    return {home: tuple(limits) for home, limits in found.items()}


def _in_order(units: Atoms) -> list[int]:
    return [unit for unit in dict.fromkeys(units.tolist()) if unit != FIXED]


def _group(
    units: list[int], limits: tuple[tuple[int, ...], ...], fixed: Mapping[int, str], inexact: Mapping[int, str]
) -> Group:
    free = tuple(unit for unit in units if unit not in fixed)
    why: str | None = None
    if not free:
        why = next((fixed[unit] for unit in units if unit in fixed), fixed[FIXED])
    elif len(units) == 1 or {(unit,) for unit in free} <= set(limits):
        why = ALONE
    blurred = next((inexact[unit] for unit in free if unit in inexact), None)
    stay = tuple(unit for unit in units if unit in fixed)
    why_stay = fixed[stay[0]] if stay else None
    return Group("", free, len(units), limits, why, None if why else blurred, stay, why_stay)


def _named(groups: Sequence[Group], producers: Sequence[Axis]) -> Iterator[Group]:
    """Groups by the layer that first makes their channels; a parameter that makes several has one main group."""
    main: dict[str, int] = {}
    for index in sorted(range(len(groups)), key=lambda i: groups[i].protected is not None):
        main.setdefault(producers[index].parameter, index)
    for index, (group, axis) in enumerate(zip(groups, producers, strict=True)):
        name = axis.parameter.removesuffix(".weight")
        yield replace(group, name=name if main[axis.parameter] == index else f"{axis.parameter}[{axis.axis}]")
