"""Cuts on trial: what a network doesn't survive the loss of, and which sizes that its forward writes it needs told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from numbers import Integral
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.errors import said_by
from paddleprune.graph import ChannelGraph, Group
from paddleprune.graph.branches import Branch, outermost
from paddleprune.graph.inputs import leaves, map_leaves
from paddleprune.graph.telling import hearing, size_name
from paddleprune.interfaces import Array
from paddleprune.pruning.certificate import Beside, Unlike, compare, shrink_and_compare
from paddleprune.pruning.culprits import culprits
from paddleprune.pruning.forwards import ForwardError, noise, run

_ROUNDING = 1e-2
"""Random images may amplify rounding beyond a certificate's tolerance, but not to such a share of the outputs."""
_NUDGE, _TIMES = np.float32(1 + 1e-6), 100
"""What images are multiplied by to see how far rounding is amplified; a wrong width changes more than so many times
that."""


@contextmanager
def _hearing(layer: nn.Layer, hear: Callable[[str, str, Any, Any], None]) -> Iterator[None]:
    """While open, hear every size that a forward writes: the layer, the size's name, what is said and what is taken."""
    names = {id(sub): name for name, sub in layer.named_sublayers(include_self=True)}

    def each(sub: nn.Layer, call: str, given: Sequence[Any], taken: Sequence[Any], _: Any) -> None:
        for entry, sizes in enumerate(zip(given, taken, strict=True)):
            hear(names[id(sub)], size_name(call, entry), *sizes)

    with hearing(layer, each):
        yield


_SIDE = 64
"""Of the images that cuts are tried on, if the network takes so small ones."""


def corners(inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The same inputs with a corner of each image, which trials of large images are faster on; None if they are small.

    Args:
        inputs: arrays, or nests of them; images are [N, C, H, W], and all of one size.
    """
    sizes = {array.shape[2:] for array in leaves(list(inputs)) if array.ndim == 4}
    if len(sizes) != 1 or min(next(iter(sizes))) < 2 * _SIDE:
        return None
    return tuple(map_leaves(lambda array: array[:, :, :_SIDE, :_SIDE] if array.ndim == 4 else array, list(inputs)))


def _twice(array: Array) -> Array:
    """Twice as many samples."""
    return np.concatenate([array, array])


def _nudged(array: Array) -> Array:
    """Values that rounding could have made of them."""
    return array * _NUDGE.astype(array.dtype) if array.dtype.kind == "f" else array


def _doubled(array: Array) -> Array:
    """Twice as many samples, of images of twice the size."""
    return _twice(array).repeat(2, 2).repeat(2, 3) if array.ndim == 4 else _twice(array)


_SHARES = (0.2, 0.3, 0.4, 0.5, 0.6)
_SOME = ((0, 0.8, 0, 0.7, 0.8, 0, 0.7), (0.7, 0, 0.8, 0, 0.75), (0.8, 0.7, 0))
"""Large shares of some groups alone: what is computed from sizes may come out right where others are cut, or little."""


def _gone(groups: Sequence[Group], shares: Sequence[float]) -> list[int]:
    """The units that go when each group loses the next of these shares."""
    order, gone = np.random.default_rng(len(shares)).permutation, list[int]()
    for group, share in zip(groups, cycle(shares), strict=False):
        if share:
            gone += group.removable(order(group.units).tolist())[: max(1, group.count(share))]
    return gone


class Trial:
    """Cuts on trial, on one probe."""

    def __init__(self, layer: nn.Layer, inputs: tuple[Any, ...]) -> None:
        self._layer, self._inputs = layer, inputs
        self._chance, self._ignored = False, frozenset[int]()
        self._amplified: float | None = None

    def on(self, inputs: tuple[Any, ...]) -> Trial:
        """The same on another probe, of which the same is left to chance."""
        other = Trial(self._layer, inputs)
        other._chance, other._ignored = self._chance, self._ignored
        return other

    def know_noise(self, graph: ChannelGraph) -> None:
        """Find out what of the outputs random numbers decide."""
        self._chance, self._ignored = noise(self._layer, self._inputs, graph.trains, graph.ends.calls)

    def culprits(self, graph: ChannelGraph, groups: Sequence[Group]) -> dict[str, str]:
        """The groups that can't be cut, with the reasons."""
        return culprits(
            groups,
            lambda some: self.problem(graph, some),
            lambda why: why.replace("hard-codes its width", "relates its width to another group's", 1),
        )

    def stuck(self, graph: ChannelGraph, branches: Sequence[Branch]) -> dict[str, str]:
        """The branches that can't go, with the reasons; those inside of others are tried after them."""
        found: dict[str, str] = {}
        while branches:
            level = outermost(branches)
            found |= culprits(
                level,
                lambda some: self._wrong(graph, [branch.unit for branch in some]),
                lambda why: why.replace("hard-codes its width", "relates it to another branch", 1),
            )
            branches = [branch for branch in branches if branch not in level]
        return {
            name: why.replace("hard-codes its width", "needs more of it than zeros", 1) for name, why in found.items()
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
                    run(self._layer, map_leaves(larger, list(self._inputs)), graph.trains, graph.ends.calls)
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
            self.first_problem(graph, graph.prunable)
        return frozenset(found)

    def problem(self, graph: ChannelGraph, groups: Sequence[Group]) -> str | None:
        """What goes wrong when each group loses a different share of its units; None if nothing does."""
        cuts = (_SHARES, *(_SOME if graph.written or graph.widths else ()))
        return next(filter(None, (self._wrong(graph, _gone(groups, shares)) for shares in cuts)), None)

    def first_problem(self, graph: ChannelGraph, groups: Sequence[Group]) -> str | None:
        """What goes wrong in the first of the cuts that `problem` tries; None if nothing does."""
        return self._wrong(graph, _gone(groups, _SHARES))

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
        if certificate.passed or certificate.max_difference <= self._rounding(graph) * certificate.scale:
            return None
        if self._chance:
            return "the forward draws random numbers in evaluation mode, so that its cut can't be proved"
        return "the forward hard-codes its width (its outputs change)"

    def _rounding(self, graph: ChannelGraph) -> float:
        """The share of the outputs that rounding may change, from what a nudge does to the dense network."""
        if self._amplified is None:
            images = (self._inputs, map_leaves(_nudged, list(self._inputs)))
            try:
                dense, nudged = (run(self._layer, some, graph.trains, graph.ends.calls) for some in images)
                moved = compare(dense.leaves, nudged.leaves, self._ignored, strict=False)
            except (ForwardError, Unlike):
                return _ROUNDING
            self._amplified = moved.max_difference / moved.scale if moved.scale else 0.0
        return min(_ROUNDING, _TIMES * self._amplified)
