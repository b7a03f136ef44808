"""Widths that a network's forward hard-codes: found before anything is cut, and named.

All prunable groups are shrunk together, by different shares, and the network runs on a probe, in training mode too
if it does something else then. If it fails or its outputs aren't the masked network's, halves of the groups are
tried until the culprits stand alone. So are branches. Sizes that forwards write into `reshape` and `split` are told
what is left; where an attribute of the network's own layers is the width (`x.split([self.c, self.c])`), it is kept
true. A network that fails as it is is no matter of widths: it says
why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from numbers import Integral
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.errors import GraphError, said_by
from paddleprune.graph import ChannelGraph, Group, random_inputs
from paddleprune.graph.branches import Branch, outermost
from paddleprune.graph.channels import Width
from paddleprune.graph.inputs import leaves, map_leaves
from paddleprune.graph.telling import calls_of, hearing, is_size, size_name
from paddleprune.interfaces import Array
from paddleprune.pruning.certificate import Beside, Unlike, shrink_and_compare
from paddleprune.pruning.forwards import ForwardError, noise, run

_ROUNDING = 1e-2
"""Random images may amplify rounding beyond a certificate's tolerance; a wrong width changes outputs by far more."""


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
    trial = _Trial(layer, inputs)
    graph = _without_sizes_of_inputs(graph, trial)
    if graph.prunable and trial.problem(graph, graph.prunable) is None:
        return _with_branches(graph, trial)
    try:
        run(layer, inputs, graph.trains)
    except ForwardError as error:
        if error.trains:
            return protect_hard_coded(layer, replace(graph, trains=False, untraced=str(error)), probe)
        raise GraphError(_does_not_run(layer, inputs, error)) from error
    trial.know_noise(graph)
    graph, culprits = _telling(layer, graph, trial)
    counted = _with_counting(layer, graph, [graph[name] for name in culprits], trial)
    if counted is not graph:
        graph, culprits = counted, trial.culprits(counted, counted.prunable)
    return _with_branches(_without_idle(layer, graph.protecting(culprits), trial), trial)


def _without_sizes_of_inputs(graph: ChannelGraph, trial: _Trial) -> ChannelGraph:
    """The graph with those groups protected that need a size told which follows the input, so that it can't be."""
    needed = [w.size for w in graph.written if w.needed]
    follows = trial.sizes_of_inputs(graph) if needed else frozenset()
    units = {unit for size in needed if (size.layer, size.attribute) in follows for unit in size.units.tolist()}
    why = "the forward relates its width to the input's size"
    return graph.protecting({group.name: why for group in graph.prunable if not units.isdisjoint(group.units)})


def _telling(layer: nn.Layer, graph: ChannelGraph, trial: _Trial) -> tuple[ChannelGraph, dict[str, str]]:
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


def _without_idle(layer: nn.Layer, graph: ChannelGraph, trial: _Trial) -> ChannelGraph:
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
    fewer = replace(graph, widths=tuple(widths))
    return graph if trial.problem(fewer, fewer.prunable) else fewer


def _with_branches(graph: ChannelGraph, trial: _Trial) -> ChannelGraph:
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


def _with_counting(layer: nn.Layer, graph: ChannelGraph, culprits: Sequence[Group], trial: _Trial) -> ChannelGraph:
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


@contextmanager
def _hearing(layer: nn.Layer, hear: Callable[[str, str, Any, Any], None]) -> Iterator[None]:
    """While open, hear every size that a forward writes: the layer, the size's name, what is said and what is taken."""
    names = {id(sub): name for name, sub in layer.named_sublayers(include_self=True)}

    def each(sub: nn.Layer, call: str, given: Sequence[Any], taken: Sequence[Any], _: Any) -> None:
        for entry, sizes in enumerate(zip(given, taken, strict=True)):
            hear(names[id(sub)], size_name(call, entry), *sizes)

    with hearing(layer, each):
        yield


def _twice(array: Array) -> Array:
    """Twice as many samples."""
    return np.concatenate([array, array])


def _doubled(array: Array) -> Array:
    """Twice as many samples, of images of twice the size."""
    return _twice(array).repeat(2, 2).repeat(2, 3) if array.ndim == 4 else _twice(array)


_SHARES = (0.2, 0.3, 0.4, 0.5, 0.6)
_SOME = ((0, 0.8, 0, 0.7, 0.8, 0, 0.7), (0.7, 0, 0.8, 0, 0.75), (0.8, 0.7, 0))
"""Large shares of some groups alone: what is computed from sizes may come out right where others are cut, or little."""


class _Trial:
    """Cuts on trial, on one probe."""

    def __init__(self, layer: nn.Layer, inputs: tuple[Any, ...]) -> None:
        self._layer, self._inputs = layer, inputs
        self._chance, self._ignored = False, frozenset[int]()

    def know_noise(self, graph: ChannelGraph) -> None:
        """Find out what of the outputs random numbers decide."""
        self._chance, self._ignored = noise(self._layer, self._inputs, graph.trains)

    def culprits(self, graph: ChannelGraph, groups: Sequence[Group]) -> dict[str, str]:
        """The groups that can't be cut, with the reasons."""
        problem = self.problem(graph, groups)
        if problem is None:
            return {}
        if len(groups) == 1:
            return {groups[0].name: problem}
        middle = len(groups) // 2
        halves = (groups[:middle], groups[middle:])
        found = {name: why for half in halves for name, why in self.culprits(graph, half).items()}
        if found:
            return found
        return {
            group.name: problem.replace("hard-codes its width", "relates its width to another group's", 1)
            for group in groups
        }

    def stuck(self, graph: ChannelGraph, branches: Sequence[Branch]) -> dict[str, str]:
        """The branches that can't go, with the reasons."""
        if not branches:
            return {}
        outer = outermost(branches)
        problem = self._wrong(graph, [branch.unit for branch in outer])
        if problem is None:
            return self.stuck(graph, [branch for branch in branches if branch not in outer])
        if len(branches) == 1:
            return {branches[0].name: problem.replace("hard-codes its width", "needs more of it than zeros", 1)}
        middle = len(branches) // 2
        halves = (branches[:middle], branches[middle:])
        found = {name: why for half in halves for name, why in self.stuck(graph, half).items()}
        return found or {
            branch.name: problem.replace("hard-codes its width", "relates it to another branch", 1)
            for branch in branches
        }

    def sizes_of_inputs(self, graph: ChannelGraph) -> frozenset[tuple[str, str]]:
        """The sizes in forwards that aren't the same for inputs of other sizes: layer and name."""
        dense = {(w.size.layer, w.size.attribute): len(w.size.units) for w in graph.written}
        found: set[tuple[str, str]] = set()

        def hear(layer: str, size: str, _: Any, taken: Any) -> None:
            if taken != dense.get((layer, size), taken):
                found.add((layer, size))

        for larger in (_doubled, _twice):
            try:
                with _hearing(self._layer, hear):
                    run(self._layer, map_leaves(larger, list(self._inputs)), graph.trains)
            except ForwardError:  # it takes inputs of one size: what it writes until then counts
                continue
            break
        return frozenset(found)

    def corrected(self, graph: ChannelGraph) -> frozenset[str]:
        """The layers that are told sizes which they don't find by themselves, on a cut of all groups."""
        found: set[str] = set()

        def hear(layer: str, _: str, given: Any, taken: Any) -> None:
            if isinstance(given, Integral) and given not in (taken, -1):
                found.add(layer)

        with _hearing(self._layer, hear):
            self.problem(graph, graph.prunable)
        return frozenset(found)

    def problem(self, graph: ChannelGraph, groups: Sequence[Group]) -> str | None:
        """What goes wrong when each group loses a different share of its units; None if nothing does."""
        for shares in (_SHARES, *(_SOME if graph.written or graph.widths else ())):
            order, gone = np.random.default_rng(len(shares)).permutation, list[int]()
            for group, share in zip(groups, cycle(shares), strict=False):
                if share:
                    gone += group.removable(order(group.units).tolist())[: max(1, group.count(share))]
            found = self._wrong(graph, gone)
            if found is not None:
                return found
        return None

    def _wrong(self, graph: ChannelGraph, gone: Sequence[int]) -> str | None:
        """What goes wrong when these units go; None if nothing does."""
        if not gone:
            return None
        try:
            undo, certificate = shrink_and_compare(
                self._layer, graph, gone, self._inputs, ignored=self._ignored, strict=False
            )
        except Beside as error:
            return str(error)
        except (ForwardError, Unlike) as error:
            return f"the forward hard-codes its width ({error})"
        except Exception as error:  # the surgery's own, which is no fault of the forward
            return f"paddleprune fails to cut it ({said_by(error)})"
        undo(self._layer)
        if certificate.max_difference <= _ROUNDING * certificate.scale:
            return None
        if self._chance:
            return "the forward draws random numbers in evaluation mode, so that its cut can't be proved"
        return "the forward hard-codes its width (its outputs change)"
