"""The PaddleSlim engine: its collections, its criteria and its pruning, under the native engine's proofs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from paddle import nn

from paddleprune.amounts import likely
from paddleprune.console import listed, say
from paddleprune.engines.paddleslim import WAY_OUT, Collection, Member, SlimPlan, SlimPruner
from paddleprune.errors import CertificateError, GraphError, PlanError, said_by
from paddleprune.graph import ChannelGraph, random_inputs
from paddleprune.graph.modes import in_mode
from paddleprune.graph.tensors import named_tensors, overwrite
from paddleprune.interfaces import Array, Reduction
from paddleprune.measure.evaluation import Batches, Forward, eager_forward
from paddleprune.pruning import Plan, resize
from paddleprune.pruning.certificate import compare
from paddleprune.pruning.culprits import culprits
from paddleprune.pruning.forwards import noise, run
from paddleprune.pruning.outcome import Certificate
from paddleprune.pruning.plan import Counts, GroupPlan
from paddleprune.pruning.surgery import attributes_of
from paddleprune.repair import Cut
from paddleprune.sensitivity import model_digest
from paddleprune.sensitivity.masked.evaluators import EagerEvaluator, Evaluator
from paddleprune.settings import EngineName, FilterCriterion

Undo: TypeAlias = Callable[[], None]
_ROUNDING = 1e-2
"""Random inputs may amplify rounding beyond a certificate's tolerance; a wrong cut changes outputs by far more."""


@dataclass(frozen=True)
class SlimGroup:
    """One of PaddleSlim's collections.

    Attributes:
        name: what the native engine calls the group of its filters, or else the layer of its scored convolution.
        master: the weight whose filters are scored.
        size: how many filters that has.
    """

    name: str
    master: str
    size: int

    def count(self, ratio: float) -> int:
        """How many filters a ratio removes: rounded, and at least one stays."""
        return max(0, min(int(ratio * self.size + 0.5), self.size - 1))


class SlimEngine:
    """The engine that prunes with PaddleSlim 2.6.0 what that can prune, and says what it can't.

    Args:
        layer: the dense network that the graph was built from.
        graph: its channel graph: its inputs, what its plugin protects, and its costs.
        criterion: which filters go first, as PaddleSlim scores them.

    Raises:
        DependencyError: PaddleSlim, or something that it imports, isn't installed.
        GraphError: it can't follow the network, or can't prune any of it.
    """

    name: EngineName = "paddleslim"

    def __init__(self, layer: nn.Layer, graph: ChannelGraph, criterion: FilterCriterion) -> None:
        self._layer, self.graph, self._criterion = layer, graph, criterion
        probe = random_inputs(graph.inputs)
        self._pruner = SlimPruner(layer, probe, criterion)
        found, self.refused = _sorted_out(self._pruner.collections, graph)
        with in_mode(layer, train=False):
            self.refused |= culprits(
                found, lambda some: self._problem(some, probe), lambda why: f"together with another group, {why}"
            )
        self.groups = tuple(group for group in found if group.name not in self.refused)
        self._by_name = {group.name: group for group in self.groups}
        self._report()

    def evaluator(self, batches: Batches, reduction: Reduction | None = None) -> Evaluator:
        """What measures the network: the layer itself, pruned."""
        return EagerEvaluator(self.removing)

    @contextmanager
    def removing(self, ratios: Mapping[str, float]) -> Iterator[Forward]:
        """While open, the layer lacks that share of each group's units, which are really gone."""
        undo = self._shrink(self._pruner.plan(self._chosen(ratios)))
        try:
            yield eager_forward(self._layer)
        finally:
            undo()

    def plan(self, ratios: Mapping[str, float], *, round_to: int = 1) -> Plan:
        """Turn ratios into the units that stay."""
        if round_to < 1:
            raise PlanError(f"round_to must be 1 or more, got {round_to}")
        kept = self._chosen(ratios, round_to)
        before, after = self.graph.cost(), self._without(self._pruner.plan(kept)).cost()
        groups = {
            name: GroupPlan(
                units=self._by_name[name].size,
                keep=tuple(np.flatnonzero(kept[self._by_name[name].master]).tolist()),
                ratio=ratio,
            )
            for name, ratio in ratios.items()
            if self._by_name[name].master in kept
        }
        return Plan(
            eval_metric_loss=None,
            criterion=self._criterion,
            engine=self.name,
            groups=groups,
            before=Counts(parameters=before.parameters, flops=before.flops),
            after=Counts(parameters=after.parameters, flops=after.flops),
        )

    def prune(self, plan: Plan, probe: Sequence[Any]) -> Plan:
        """Carry a plan out, in place, and prove it on a probe batch."""
        before, model = attributes_of(self._layer, self.graph), model_digest(self._layer)
        kept = self._planned(plan)
        try:
            undo, certificate = self._shrink_and_compare(self._pruner.plan(kept), probe)
        except Exception as error:
            raise CertificateError(
                f"what PaddleSlim leaves doesn't run ({said_by(error)}); nothing was changed; {WAY_OUT}"
            ) from error
        if not certificate.passed:
            undo()
            raise CertificateError(
                f"PaddleSlim's pruned network differs by {certificate.max_difference:.3g} from the masked one "
                f"(outputs reach {certificate.scale:.3g}); nothing was changed; {WAY_OUT}"
            )
        after = attributes_of(self._layer, self.graph)
        changed = {name: attributes for name, attributes in after.items() if attributes != before[name]}
        return plan.model_copy(update={"model": model, "certificate": certificate, "attributes": changed})

    def cut(self, plan: Plan) -> Cut:
        """What carrying a plan out does to the network's parameters."""
        kept = self._pruner.plan(self._planned(plan)).kept
        keeps = {
            name: {axis: np.flatnonzero(keep) for axis, keep in axes.items() if not keep.all()}
            for name, axes in kept.items()
        }
        return Cut.of(self.graph, {name: axes for name, axes in keeps.items() if axes})

    def _group(self, name: str) -> SlimGroup:
        """A group by name.

        Raises:
            PlanError: PaddleSlim can't prune it.
            UnknownNameError: the network has none of that name.
        """
        if name in self._by_name:
            return self._by_name[name]
        protected = None if name in self.refused else self.graph[name].protected
        if protected:
            raise PlanError(f"{name!r} may not be pruned: {protected}")
        why = self.refused.get(name) or self._unsupported()
        raise PlanError(f"PaddleSlim can't prune {name!r}: {why}; {WAY_OUT}")

    def _unsupported(self) -> str:
        kinds = ", ".join(self._pruner.unsupported)
        return f"it can't follow {kinds}" if kinds else "it can't follow what comes after it"

    def _chosen(self, ratios: Mapping[str, float], round_to: int = 1) -> dict[str, Array]:
        """Which filters stay: weight -> [filters], bool; only where some go."""
        kept: dict[str, Array] = {}
        for name, ratio in ratios.items():
            group = self._group(name)
            if not 0 <= ratio < 1:
                raise PlanError(f"the ratio of {name!r} must be between 0 and 1, got {ratio}{likely(ratio)}")
            left = -(-(group.size - group.count(ratio)) // round_to) * round_to
            if left < group.size:
                kept[group.master] = self._pruner.choose(group.master, group.size - left)
        return kept

    def _planned(self, plan: Plan) -> dict[str, Array]:
        kept: dict[str, Array] = {}
        for name, part in plan.groups.items():
            group = self._group(name)
            if group.size != part.units:
                raise PlanError(
                    f"the plan keeps {len(part.keep)} of {part.units} units of {name!r}, but this network has "
                    f"{group.size} there; make the plan again from a table of this network"
                )
            kept[group.master] = np.isin(np.arange(group.size), part.keep)
        return kept

    def _without(self, plan: SlimPlan) -> ChannelGraph:
        """The graph with the shapes that PaddleSlim will leave: its costs are the pruned network's."""
        shapes = dict(self.graph.shapes)
        for name, axes in plan.kept.items():
            shapes[name] = tuple(int(axes[i].sum()) if i in axes else n for i, n in enumerate(shapes[name]))
        return replace(self.graph, shapes=shapes)

    def _shrink(self, plan: SlimPlan) -> Undo:
        """Let PaddleSlim prune the layer, in place; what this returns restores it bit for bit."""
        undo = _snapshot(self._layer, plan.kept)
        try:
            plan.apply()
            resize(self._layer, {})  # layers also say their widths in attributes that PaddleSlim leaves alone
        except BaseException:
            undo()
            raise
        return undo

    def _shrink_and_compare(self, plan: SlimPlan, probe: Sequence[Any]) -> tuple[Undo, Certificate]:
        inputs, trains, ends = tuple(probe), self.graph.trains, self.graph.ends.calls
        ignored = noise(self._layer, inputs, trains, ends)[1] if trains else ()
        undo = _snapshot(self._layer, plan.kept)
        self._mask(plan)
        try:
            expected = run(self._layer, inputs, trains, ends)
        finally:
            undo()
        undo = self._shrink(plan)
        try:
            certificate = compare(expected.leaves, run(self._layer, inputs, trains, ends).leaves, ignored)
            return undo, certificate.model_copy(update={"training": trains})
        except BaseException:
            undo()
            raise

    def _mask(self, plan: SlimPlan) -> None:
        """Zero the weights that read channels which go: exact, whatever activation lies between."""
        tensors = named_tensors(self._layer)
        reads = {(m.parameter, m.axis) for c in self._pruner.collections for m in c.members if m.reads}
        for name, axes in plan.kept.items():
            array = tensors[name].numpy()
            for axis, keep in axes.items():
                if (name, axis) in reads:
                    array = array * np.expand_dims(keep, [i for i in range(array.ndim) if i != axis])
            overwrite(tensors[name], array.astype(tensors[name].numpy().dtype))

    def _problem(self, groups: Sequence[SlimGroup], probe: Sequence[Any]) -> str | None:
        kept = {group.master: np.arange(group.size) >= group.size // 2 for group in groups if group.size > 1}
        try:
            undo, certificate = self._shrink_and_compare(self._pruner.plan(kept), probe)
        except Exception as error:
            return f"what it leaves doesn't run ({said_by(error)})"
        undo()
        same = certificate.max_difference <= _ROUNDING * certificate.scale
        return None if same else "what it leaves computes something else"

    def _report(self) -> None:
        """Say what stays whole with this engine, though the native one can prune it.

        Raises:
            GraphError: everything does.
        """
        left = [group.name for group in self.graph.prunable if group.name not in self._by_name]
        if not left:
            return
        why = dict.fromkeys([self._unsupported()] if set(left) - set(self.refused) else [])
        why |= dict.fromkeys(self.refused[name] for name in left if name in self.refused)
        what = "any group" if not self.groups else f"{len(left)} of {len(self.graph.prunable)} groups"
        message = f"PaddleSlim can't prune {what} of this network ({'; '.join(why)}): {listed(left)}; {WAY_OUT}"
        if not self.groups:
            raise GraphError(message)
        say(message)


def _sorted_out(collections: Sequence[Collection], graph: ChannelGraph) -> tuple[tuple[SlimGroup, ...], dict[str, str]]:
    """The collections as groups, in the network's order, and those that can't be pruned: name -> why.

    A collection has the name of the native group that owns its scored filters, unless another has that name;
    what the graph protects, for its plugin too, is left out.
    """
    order = [
        (axis.parameter, group) for group in graph.groups for axis in graph.axes_of[group.name] if axis.role == "own"
    ]
    owner, places = dict(order), {weight: place for place, (weight, _) in enumerate(order)}
    groups: dict[str, SlimGroup] = {}
    refused: dict[str, str] = {}
    for collection in sorted(collections, key=lambda c: places.get(c.master, len(places))):
        native = owner.get(collection.master)
        if native is not None and native.protected:
            continue
        name = native.name if native and native.name not in groups else collection.master.removesuffix(".weight")
        grouped = next((m.parameter for m in collection.members if _is_grouped(m, graph)), None)
        if grouped:
            refused[name] = f"the grouped convolution {grouped.removesuffix('.weight')}"
        else:
            groups[name] = SlimGroup(name, collection.master, collection.size)
    return tuple(groups.values()), refused


def _is_grouped(member: Member, graph: ChannelGraph) -> bool:
    """Is it a convolution with groups that isn't a depthwise one of as many filters as channels?"""
    shape = graph.shapes[member.parameter]
    return member.groups > 1 and len(shape) > 1 and shape[:2] != (member.groups, 1)


def _snapshot(layer: nn.Layer, names: Mapping[str, Any]) -> Undo:
    """What restores parameters, and what the layers say of themselves, bit for bit."""
    tensors = named_tensors(layer)
    before = {name: tensors[name].numpy() for name in names}
    said = {
        name: {key: value for key, value in vars(sub).items() if isinstance(value, (int, str))}
        for name, sub in layer.named_sublayers(include_self=True)
    }

    def undo() -> None:
        for name, array in before.items():
            overwrite(tensors[name], array)
        for name, sub in layer.named_sublayers(include_self=True):
            vars(sub).update({key: value for key, value in said[name].items() if key != "training"})

    return undo
