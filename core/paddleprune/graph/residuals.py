"""Finding residual branches: what is dead once an addition no longer reads it, and which layers can go with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from paddleprune.graph.branches import Branch
from paddleprune.graph.rules import RULES, contract, cut, follow, move, reduce, unify
from paddleprune.graph.trace import Op, Trace, Value, useful_ops
from paddleprune.graph.walker import Walker

_FIRST = (
    *(follow.same, follow.identity, follow.prelu, follow.spatial, follow.flip, follow.roll, reduce.total),
    *(reduce.average, move.reshape, move.transpose, move.tile, move.expand, move.pixel_shuffle, move.pixel_unshuffle),
    *(move.channel_shuffle, move.maxout, move.unfold, move.fold, move.repeat, move.concat, move.stack, move.unpack),
    *(cut.split, cut.unbind, cut.cut, unify.add_all, unify.expanded_as),
)
"""What gives zeros where its first operand is zero."""
_EITHER = (unify.multiplied, contract.matmul)
_ALL = (unify.added, move.pack)


def find_branches(traced: Trace, walker: Walker) -> tuple[Branch, ...]:
    """The residual branches of a network, in its order, the protected ones with the reason.

    Args:
        traced: the network's forward in evaluation mode.
        walker: after its walk.
    """
    flow = _Flow(traced, walker.shapes)
    found = [_Residual(flow, walker, place) for place in flow.additions()]
    branches = [one.branch() for one in found if one.computes]
    seen = Counter[str]()
    for number, branch in enumerate(branches):
        seen[branch.name] += 1
        if seen[branch.name] > 1:  # the last layer of a branch may be that of a branch within it, too
            branches[number] = replace(branch, name=f"{branch.name}#{seen[branch.name]}")
    return tuple(branches)


def _made(op: Op) -> list[Value]:
    return [value for value in op.outputs if value is not None]


class _Flow:
    """Who makes and who reads the values of a trace, and which layers give them."""

    def __init__(self, traced: Trace, names: Iterable[str]) -> None:
        self.traced = traced
        useful = useful_ops(traced)
        self.ops = {op.index: op for op in traced.ops if op.index in useful}
        self.makers = {value.id: op for op in self.ops.values() for value in _made(op)}
        self.readers: dict[str, list[int]] = {}
        for op in self.ops.values():
            for identity in dict.fromkeys(value.id for value in op.inputs if value is not None):
                self.readers.setdefault(identity, []).append(op.index)
        self.returned = {value.id for value in traced.outputs}
        self.uses = {name: self.readers.get(identity, []) for identity, name in traced.parameters.items()}
        self.inside: dict[str, list[str]] = {}
        for name in names:
            parts = name.split(".")[:-1]
            for count in range(1, len(parts) + 1):
                self.inside.setdefault(".".join(parts[:count]), []).append(name)
        self.givers: dict[str, list[str]] = {}
        for name, given in traced.calls.items():
            if len(given) == 1 and given[0] is not None:
                self.givers.setdefault(given[0], []).append(name)

    def additions(self) -> Iterator[_Place]:
        """Additions x + branch(x) that keep x's shape."""
        for op in self.ops.values():
            if op.name not in ("add", "add_"):
                continue
            sides, total = [value for value in op.inputs if value is not None], _made(op)[0]
            if len(sides) < 2 or any(side.id in self.traced.parameters for side in sides):
                continue
            for x, given in (sides, sides[::-1]):
                if x.id != given.id and x.shape == given.shape == total.shape:
                    between = self.between(x, given)
                    if between:
                        yield _Place(op, given, between, self.dead_without(op.index, given))

    def between(self, x: Value, given: Value) -> frozenset[int]:
        """The operations that lead from one value to another, and those that they need; none if nothing does."""
        first = self.makers[x.id].index if x.id in self.makers else -1
        found, waiting, leads = set[int](), [given.id], False
        while waiting:
            identity = waiting.pop()
            leads = leads or identity == x.id
            op = self.makers.get(identity)
            if op is not None and op.index > first and op.index not in found:
                found.add(op.index)
                waiting += [value.id for value in op.inputs if value is not None]
        return frozenset(found) if leads else frozenset()

    def dead_without(self, reader: int, value: Value) -> frozenset[int]:
        """The operations that nobody needs once one of them no longer reads a value."""
        dead, waiting = set[int](), [-self.makers[value.id].index] if value.id in self.makers else []
        while waiting:  # later ones first: whoever reads what an operation makes has been looked at
            op = self.ops[-heappop(waiting)]
            made = [result.id for result in _made(op)]
            needed = {i for identity in made for i in self.readers.get(identity, ())} - dead
            allowed = {reader} if value.id in made else set[int]()
            if op.index not in dead and needed <= allowed and self.returned.isdisjoint(made):
                dead.add(op.index)
                for read in op.inputs:
                    if read is not None and read.id in self.makers:
                        heappush(waiting, -self.makers[read.id].index)
        return frozenset(dead)

    def read_by(self, op: Op) -> list[str]:
        """The parameters that an operation reads."""
        return [self.traced.parameters[v.id] for v in op.inputs if v is not None and v.id in self.traced.parameters]

    def weights_that_read(self, value: Value, weights: frozenset[str]) -> frozenset[str]:
        """Those of some weights that a value meets first, whatever without such a weight lies between."""
        reached, found, waiting = {value.id}, set[str](), [value.id]
        while waiting:
            for index in self.readers.get(waiting.pop(), ()):
                mine = weights.intersection(self.read_by(self.ops[index]))
                found |= mine
                fresh = [made.id for made in _made(self.ops[index]) if made.id not in reached and not mine]
                reached.update(fresh)
                waiting += fresh
        return frozenset(found)


@dataclass(frozen=True)
class _Place:
    """An addition, what a branch gives it, the operations of the branch, and those that nothing else needs."""

    sum: Op
    given: Value
    between: frozenset[int]
    ops: frozenset[int]


class _Residual:
    """What goes with a branch, and whether it can."""

    def __init__(self, flow: _Flow, walker: Walker, place: _Place) -> None:
        self._flow, self._walker, self._place = flow, walker, place
        self._ops = [flow.ops[index] for index in sorted(place.ops)]
        self._made = {value.id: value for op in self._ops for value in _made(op)}
        self._used = list(dict.fromkeys(name for op in self._ops for name in flow.read_by(op)))
        self._layers = self._outermost()
        self._gone = frozenset(name for layer in self._layers for name in flow.inside.get(layer, ()))

    @property
    def computes(self) -> bool:
        """Is there anything in it that costs something?"""
        if self._ops:
            return any(name in self._gone or name in self._walker.uses for name in self._used)
        read = {name for index in self._place.between for name in self._flow.read_by(self._flow.ops[index])}
        return self._place.given.id in self._flow.givers and not read.isdisjoint(self._walker.uses)

    def branch(self) -> Branch:
        """The branch, protected if it can't go."""
        last = [layer for layer in self._layers if layer in self._flow.inside] or self._last()
        reads = frozenset(name for (name, _), said in self._walker.axes.items() if "read" in said.roles)
        return Branch(
            name=f"+{last[-1]}",
            unit=int(self._walker.table.fresh(1)[0]),
            layers={layer: len(value.shape or ()) for layer, value in self._layers.items()},
            ends=self._ends(),
            parameters=self._gone,
            ops=self._place.ops,
            readers=self._flow.weights_that_read(_made(self._place.sum)[0], reads),
            protected=self._problem(),
        )

    def _last(self) -> list[str]:
        """What a branch is called of which no layer can go."""
        if not self._ops:
            return self._flow.givers[self._place.given.id][-1:]
        return [self._used[-1].rpartition(".")[0]]

    def _outermost(self) -> dict[str, Value]:
        """The largest layers whose calls and parameters have a part in the branch alone: layer -> what it gives."""
        named = [(layer, value) for value in self._made.values() for layer in self._flow.givers.get(value.id, ())]
        whole = {layer: value for layer, value in named if self._is_alone(layer)}
        return {layer: value for layer, value in whole.items() if not any(above in whole for above in _above(layer))}

    def _is_alone(self, layer: str) -> bool:
        return all(
            self._place.ops.issuperset(self._flow.uses.get(name, ())) for name in self._flow.inside.get(layer, ())
        )

    def _ends(self) -> frozenset[str]:
        """The layers whose outputs reach the addition, through nothing that goes."""
        given = {value.id for value in self._layers.values()}
        reached, waiting = set[str](), [self._place.given.id]
        while waiting:
            identity = waiting.pop()
            if identity in self._made and identity not in reached:
                reached.add(identity)
                if identity not in given:
                    waiting += [value.id for value in self._flow.makers[identity].inputs if value is not None]
        return frozenset(layer for layer, value in self._layers.items() if value.id in reached)

    def _problem(self) -> str | None:
        """Why the branch can't go; None if it can."""
        if not self._ops:
            readers = (self._flow.ops[index] for index in self._flow.readers[self._place.given.id])
            other = next((op for op in readers if op.index != self._place.sum.index), None)
            return "feeds an output of the model" if other is None else f"{other.name} at {other.where} reads it, too"
        for op in self._ops:
            if op.blocks:
                return f"{op.name} at {op.where} runs it or not, as the data say"
        for name in self._used:
            layer = name.rpartition(".")[0]
            if name in self._gone:
                continue
            if not self._place.ops.issuperset(self._flow.uses[name]):
                return f"{name} is used outside of it, too"
            calls = self._flow.traced.calls.get(layer, ())
            if len(calls) > 1:
                return f"{layer} is called {len(calls)} times"
            if name in self._walker.uses:
                return f"{name} belongs to no layer that gives one tensor, and that to this branch alone"
        return self._leftover()

    def _leftover(self) -> str | None:
        """What makes something of the zeros that layers give which are gone; None if nothing does."""
        zeros = {value.id for value in self._layers.values()}
        for op in self._ops:
            made = [value.id for value in _made(op)]
            if zeros.isdisjoint(made) and _gives_zeros(op, zeros):
                zeros.update(made)
        if self._place.given.id in zeros:
            return None
        op = self._flow.makers[self._place.given.id]
        return f"{op.name} at {op.where} doesn't give zeros where its layers do"


def _above(layer: str) -> Iterator[str]:
    """The layers that hold a layer."""
    parts = layer.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def _gives_zeros(op: Op, zeros: set[str]) -> bool:
    """Does an operation give zeros, where these values are zero?"""
    rule, read = RULES.get(op.name), [value is not None and value.id in zeros for value in op.inputs]
    if rule is follow.scale:
        return read[0] and not op.attrs.get("bias")
    if rule in _EITHER:
        return any(read[:2])
    if rule in _ALL:
        return all(read)
    return rule in _FIRST and read[0]
