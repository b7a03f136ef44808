"""Widths that a network's forward hard-codes: found before anything is cut, and named.

All prunable groups are shrunk together, by different shares, and the network runs on a probe, in training mode too
if it does something else then. If it fails or its outputs aren't the masked network's, halves of the groups are
tried until the culprits stand alone. So are branches. Sizes that forwards write into `reshape` and `split` are told
what is left; where an attribute of the network's own layers is the width (`x.split([self.c, self.c])`), it is kept
true. A network that fails as it is is no matter of widths: it says why.

Of large images all of this is tried on corners, if the network takes them, and a last cut on the images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.errors import GraphError
from paddleprune.graph import ChannelGraph, Group, random_inputs
from paddleprune.graph.channels import Width
from paddleprune.graph.inputs import leaves
from paddleprune.graph.telling import calls_of, is_size
from paddleprune.pruning.forwards import ForwardError, run
from paddleprune.pruning.trials import Trial, corners


def protect_hard_coded(layer: nn.Layer, graph: ChannelGraph, probe: Sequence[Any] | None = None) -> ChannelGraph:
    """Protect the groups that the network doesn't survive the loss of, each with what Paddle said.

    Args:
        layer: the dense network that the graph was built from; left as it was.
        graph: its channel graph.
        probe: inputs of the layer; random ones if None.

    Returns:
        The graph, with more groups protected or the same, and with the attributes that count a group's channels.
        Where the training forward doesn't run on the probe, it isn't looked at, and `untraced` says so.

    Raises:
        GraphError: the dense network doesn't run on the probe.
    """
    inputs = random_inputs(graph.inputs) if probe is None else tuple(probe)
    small = corners(inputs)
    if small is not None and _runs(layer, graph, small):
        trial = Trial(layer, small)
        protected = _protected(layer, graph, trial, small)
        if trial.on(inputs).first_problem(protected, protected.prunable) is None:
            return protected
    return _protected(layer, graph, Trial(layer, inputs), inputs)


def _runs(layer: nn.Layer, graph: ChannelGraph, inputs: tuple[Any, ...]) -> bool:
    try:
        run(layer, inputs, graph.trains, graph.ends.calls)
    except ForwardError:
        return False
    return True


def _protected(layer: nn.Layer, graph: ChannelGraph, trial: Trial, inputs: tuple[Any, ...]) -> ChannelGraph:
    """The same for what is tried on certain inputs.

    Raises:
        GraphError: the dense network doesn't run on them.
    """
    graph = _without_sizes_of_inputs(graph, trial)
    if graph.prunable and trial.problem(graph, graph.prunable) is None:
        return _with_branches(graph, trial)
    try:
        run(layer, inputs, graph.trains, graph.ends.calls)
    except ForwardError as error:
        if error.trains:
            untrained = replace(graph, trains=False, untraced=str(error))
            return _protected(layer, untrained, Trial(layer, inputs), inputs)
        raise GraphError(_does_not_run(layer, inputs, error)) from error
    trial.know_noise(graph)
    graph, culprits = _telling(layer, graph, trial)
    counted = _with_counting(layer, graph, [graph[name] for name in culprits], trial)
    if counted is not graph:
        graph, culprits = counted, trial.culprits(counted, counted.prunable)
    return _with_branches(_without_idle(layer, graph.protecting(culprits), trial), trial)


def _without_sizes_of_inputs(graph: ChannelGraph, trial: Trial) -> ChannelGraph:
    """The graph with those groups protected that need a size told which follows the input, so that it can't be."""
    needed = [w.size for w in graph.written if w.needed]
    follows = trial.sizes_of_inputs(graph) if needed else frozenset()
    units = {unit for size in needed if (size.layer, size.attribute) in follows for unit in size.units.tolist()}
    why = "the forward relates its width to the input's size"
    return graph.protecting({group.name: why for group in graph.prunable if not units.isdisjoint(group.units)})


def _telling(layer: nn.Layer, graph: ChannelGraph, trial: Trial) -> tuple[ChannelGraph, dict[str, str]]:
    """The graph that tells forwards every size that counts channels, needed or not; and what can't be cut even so.

    What a layer holds as an attribute, and reads as a size alone, is set there. An attribute from which it computes
    more, such as a scale, stays what it is, unless the forward needs it otherwise.
    """
    follows = trial.sizes_of_inputs(graph) if graph.written else frozenset()
    told = [w for w in graph.written if (w.size.layer, w.size.attribute) not in follows]
    sizes = [w.size if w.attribute is None else replace(w.size, attribute=w.attribute) for w in told]
    sublayers, layers = dict(layer.named_sublayers(include_self=True)), {w.layer for w in sizes}
    rest = [w for w in graph.widths if w.layer not in layers or _is_but_a_size(sublayers[w.layer], w.attribute)]
    by_size, by_attribute = _wider(graph, (*sizes, *rest)), _wider(graph, (*sizes, *graph.widths))
    culprits = trial.culprits(by_size, graph.prunable)
    if not culprits or len(by_size.widths) == len(by_attribute.widths):
        return by_size, culprits
    others = trial.culprits(by_attribute, graph.prunable)
    return (by_attribute, others) if len(others) < len(culprits) else (by_size, culprits)


def _is_but_a_size(sub: nn.Layer, attribute: str) -> bool:
    return type(sub).__module__.startswith("paddle.") or any(attribute in names for names in calls_of(sub).values())


def _wider(graph: ChannelGraph, widths: Iterable[Width]) -> ChannelGraph:
    return replace(graph, widths=tuple({(w.layer, w.attribute): w for w in widths}.values()))


def _without_idle(layer: nn.Layer, graph: ChannelGraph, trial: Trial) -> ChannelGraph:
    """The graph without the sizes of layers in which all sizes come out right by themselves.

    Layers of one class are alike: if one of them must be told a size, all are told all, since others may have come out
    right by accident.
    """
    if not any(is_size(w.attribute) for w in graph.widths):
        return graph
    kinds = {name: type(sub) for name, sub in layer.named_sublayers(include_self=True)}
    told = {w.size.layer for w in graph.written if w.needed}
    needed = {kinds[name] for name in trial.corrected(graph) | told}
    widths = [w for w in graph.widths if not is_size(w.attribute) or kinds[w.layer] in needed]
    if len(widths) == len(graph.widths):
        return graph
    fewer = replace(graph, widths=tuple(widths))
    return graph if trial.problem(fewer, fewer.prunable) else fewer


def _with_branches(graph: ChannelGraph, trial: Trial) -> ChannelGraph:
    """The graph with those branches protected, too, that the network doesn't survive the loss of."""
    free = [branch for branch in graph.branches if not branch.protected]
    if not free:
        return graph
    trial.know_noise(graph)
    return graph.protecting(trial.stuck(graph, free))


def _does_not_run(layer: nn.Layer, inputs: Sequence[Any], error: ForwardError) -> str:
    arrays = leaves(list(inputs))
    own = next((str(p.dtype).removeprefix("paddle.") for p in layer.parameters()), "float32")
    wrong = [a.dtype.name for a in arrays if a.dtype.kind == "f" and a.dtype.name != own]
    way_out = f"the example is {wrong[0]} and the weights are {own}: cast it" if wrong else "give examples that do"
    shapes = [a.shape for a in arrays]
    return f"{type(layer).__name__} doesn't run on inputs of shapes {shapes}: {error}; {way_out}"


def _with_counting(layer: nn.Layer, graph: ChannelGraph, culprits: Sequence[Group], trial: Trial) -> ChannelGraph:
    """The graph with the attributes that let culprits go, one for each at most."""
    for group in culprits:
        for width in _candidates(layer, graph, group):
            wider = replace(graph, widths=(*graph.widths, width))
            if trial.problem(wider, [group]) is None:
                graph = wider
                break
    return graph


def _candidates(layer: nn.Layer, graph: ChannelGraph, group: Group) -> Iterator[Width]:
    """Numbers that the network's own layers hold, and that are a multiple of a group's units.

    They are those of the layers around the parameters that the group's channels touch, the nearest ones first.
    """
    if len(group.units) < group.width:
        return
    known = {(width.layer, width.attribute) for width in graph.widths}
    sublayers = dict(layer.named_sublayers(include_self=True))
    around = {above for axis in graph.axes_of[group.name] for above in _around(axis.parameter)}
    for name in sorted(around, key=len, reverse=True):
        if type(sublayers[name]).__module__.startswith("paddle."):
            continue
        for attribute, value in vars(sublayers[name]).items():
            if not _is_count(value) or (name, attribute) in known:
                continue
            if value > 0 and value % group.size == 0:
                yield Width(name, attribute, np.repeat(np.array(group.units), int(value) // group.size))


def _around(parameter: str) -> Iterator[str]:
    """The names of all layers that hold a parameter, directly or not."""
    parts = parameter.split(".")[:-1]
    return (".".join(parts[:count]) for count in range(len(parts) + 1))


def _is_count(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
