"""Closed-form repair after a cut: each layer that lost channels gets the weights that best give its dense output.

One pass of the cut network refits every such layer *before it runs*, so that later layers see inputs that are
repaired already (asymmetric reconstruction: He et al. 2017, "Channel Pruning for Accelerating Very Deep Neural
Networks", section 3.2). Of several batches each refits every layer from all that was seen so far; so does every call
of a layer that runs several times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paddle import nn

from paddleprune.console import progress
from paddleprune.graph import ChannelGraph
from paddleprune.graph.branches import Branch
from paddleprune.graph.tensors import named_tensors
from paddleprune.interfaces import Array
from paddleprune.machine.heap import kept_heap
from paddleprune.pruning.outcome import Repair
from paddleprune.repair.readers import output_axis
from paddleprune.repair.record import Record, Seen, readable, run, watching
from paddleprune.repair.refit import Refit, total_rows

RIDGE = 1e-2
"""How strongly weights are pulled towards those of the cut network, unless it is said otherwise."""
_PLACES = "the cut took places of its input, too"
_ROW = "no layer whose output is its input times its weight reads with it"


@dataclass(frozen=True)
class Cut:
    """What a cut did to a network's parameters.

    Attributes:
        keeps: parameter -> axis -> the positions that stayed, of those that lost some; no axis of those that read
            where a branch is gone.
        shifts: weight -> the running mean behind it that takes up a constant.
        readers: parameters that lost what they read, or some of it.
    """

    keeps: Mapping[str, Mapping[int, Array]]
    shifts: Mapping[str, str]
    readers: frozenset[str]

    @classmethod
    def of(cls, graph: ChannelGraph, keeps: Mapping[str, Mapping[int, Array]], branches: Iterable[Branch] = ()) -> Cut:
        """What a cut does that leaves these positions of a traced network, and takes some branches."""
        reads = {(axis.parameter, axis.axis) for axis in graph.axes if axis.role == "read"}
        readers = {name for name, axes in keeps.items() if any((name, axis) in reads for axis in axes)}
        gone = list(branches)
        behind = {name for branch in gone for name in branch.readers}
        behind -= {name for branch in gone for name in branch.parameters}
        return cls({**{name: {} for name in behind}, **keeps}, graph.shifts, frozenset(readers | behind))


def repair(
    layer: nn.Layer, record: Record, cut: Cut, *, ridge: float = RIDGE, leave: frozenset[str] = frozenset()
) -> Repair:
    """Give what a cut left the weights that best do what the dense network did.

    Args:
        layer: the cut network; changed in place.
        record: what the dense one gave.
        cut: what it lost.
        ridge: how strongly weights are pulled towards those of the cut network.
        leave: layers to leave as they were cut.

    Returns:
        What was refitted, how well, and what was left as cut.
    """
    left = _left(layer, record, cut, leave)
    work = _refits(layer, record, cut, ridge, left)
    with kept_heap(), progress("repair", len(record.batches)) as bar:
        for batch, seen in zip(record.batches, record.seen, strict=True):
            with watching(layer, before=_Pass(work, seen, left)):
                run(layer, batch)
            bar.advance()
    layers = {name: refit.result for name, refit in work.items() if refit.result is not None}
    return Repair(samples=record.samples, ridge=ridge, layers=layers, left=left)


def heads_of(graph: ChannelGraph) -> frozenset[str]:
    """The layers that give a network's outputs."""
    return frozenset(group.name for group in graph.groups if (group.protected or "").startswith("feeds an output"))


class _Pass:
    """One forward pass: hands each call of a layer what the same call gave in the dense network.

    A layer whose rows aren't all there any more can't be refitted: which of them went, the weights don't say.
    """

    def __init__(self, work: dict[str, Refit], seen: Mapping[str, list[Seen]], left: dict[str, str]) -> None:
        self._work, self._left = work, left
        self._waiting = {name: list(calls) for name, calls in seen.items()}

    def __call__(self, name: str, layer: nn.Layer, value: Array, output: Array | None) -> None:
        if name not in self._work or not self._waiting.get(name):
            return
        seen = self._waiting[name].pop(0)
        if self._work[name].fits(value, seen):
            self._work[name].take(value, seen)
        else:
            self._work.pop(name).give_up()
            self._left[name] = _PLACES


def _left(layer: nn.Layer, record: Record, cut: Cut, leave: frozenset[str]) -> dict[str, str]:
    """What isn't refitted though it lost channels -> why."""
    touched = [name for name, _ in readable(layer) if _weight(name) in cut.keeps]
    known = {_weight(name) for name in touched}
    found = dict.fromkeys(sorted(cut.readers - known), _ROW)
    found |= {name: record.unread[name] for name in touched if name in record.unread}
    found |= {name: "attention scales it" for name in _queries(layer) if name in touched}
    return found | {name: "it was to be left" for name in touched if name in leave}


def _queries(layer: nn.Layer) -> list[str]:
    """The queries of Paddle's attention: a cut that makes heads narrower multiplies them by a number."""
    attention = [
        name for name, sub in layer.named_sublayers(include_self=True) if isinstance(sub, nn.MultiHeadAttention)
    ]
    return [f"{name}.q_proj".removeprefix(".") for name in attention]


def _refits(layer: nn.Layer, record: Record, cut: Cut, ridge: float, left: Mapping[str, str]) -> dict[str, Refit]:
    tensors, found = named_tensors(layer), dict[str, Refit]()
    for name, sub in readable(layer):
        axes = cut.keeps.get(_weight(name))
        if axes is None or name in left:
            continue
        mean = cut.shifts.get(_weight(name)) if sub.bias is None else None
        rows = total_rows([seen.get(name, []) for seen in record.seen])
        kept = axes.get(output_axis(sub))
        found[name] = Refit(sub, kept, None if mean is None else tensors[mean], rows, ridge)
    return found


def _weight(name: str) -> str:
    return f"{name}.weight".removeprefix(".")
