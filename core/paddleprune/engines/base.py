"""What finds a network's groups and removes their units: the native engine, or PaddleSlim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from paddle import nn

from paddleprune.errors import ConfigError
from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Reduction
from paddleprune.measure.evaluation import Batches, Forward
from paddleprune.pruning import Plan
from paddleprune.repair import Cut
from paddleprune.sensitivity import Prunable
from paddleprune.sensitivity.masked.evaluators import Evaluator
from paddleprune.settings import EngineName
from paddleprune.validation import matching

_TYPE = "type:"


class Engine(Protocol):
    """A dense network that can be measured without some of its units, and pruned.

    An engine is made for one layer and one criterion.
    """

    @property
    def name(self) -> EngineName:
        """What a table of this engine says."""

    @property
    def groups(self) -> Sequence[Prunable]:
        """What may be pruned, in the network's order."""

    @property
    def graph(self) -> ChannelGraph:
        """The network's channel graph."""

    def evaluator(self, batches: Batches, reduction: Reduction | None = None) -> Evaluator:
        """What measures the network on these batches, as fast as it can.

        Args:
            batches: the evaluation data.
            reduction: what may be given in the outputs' place.
        """

    def removing(self, ratios: Mapping[str, float]) -> AbstractContextManager[Forward]:
        """While open, the layer, and the forward that this yields, lacks that share of each group's units.

        Args:
            ratios: group name -> share of its units; {} is the dense network.
        """

    def plan(self, ratios: Mapping[str, float], *, round_to: int = 1) -> Plan:
        """Turn ratios into the units that stay.

        Args:
            ratios: group name -> share of its units to remove.
            round_to: channels of every pruned convolution stay a multiple of this.

        Raises:
            UnknownNameError: a name isn't a group of the network.
            PlanError: a group can't be pruned, or a ratio isn't from 0 to below 1.
        """

    def prune(self, plan: Plan, probe: Sequence[Any]) -> Plan:
        """Carry a plan out, in place, and prove it on a probe batch.

        Args:
            plan: what stays.
            probe: inputs of the layer, each [N, ...], or nests of them.

        Returns:
            The plan with its certificate.

        Raises:
            PlanError: the plan doesn't fit the network.
            CertificateError: the outputs differ, or the shrunk network doesn't run; the layer is restored
                bit for bit.
        """

    def cut(self, plan: Plan) -> Cut:
        """What carrying a plan out does to the network's parameters; for what repairs it.

        Raises:
            PlanError: the plan doesn't fit the network.
        """


def left_whole(
    engine: Engine, layer: nn.Layer, exclude: str | Sequence[str], only: str | Sequence[str] = ()
) -> frozenset[str]:
    """The names of the groups and branches that a user wants whole.

    Args:
        engine: the network's engine.
        layer: the network.
        exclude: names of groups or branches, globs such as `features.0.*`, or `type:Linear` for those groups whose
            channels a layer of that type makes. A branch stays with a group inside of it.
        only: likewise: if there are any, all other groups are left whole, too.

    Raises:
        ConfigError: one of them matches no group.
    """
    types = _types(engine, layer)
    names = [*(group.name for group in engine.graph.groups), *(group.name for group in engine.groups)]
    names += [branch.name for branch in engine.graph.branches]

    def named(given: str | Sequence[str]) -> frozenset[str]:
        patterns = [given] if isinstance(given, str) else given
        by_type = [_of_type(pattern.removeprefix(_TYPE), types) for pattern in patterns if pattern.startswith(_TYPE)]
        by_name = [pattern for pattern in patterns if not pattern.startswith(_TYPE)]
        return matching(dict.fromkeys(names), by_name, "group").union(*by_type)

    chosen, wanted = named(exclude), named(only)
    held = {unit for group in engine.graph.groups if group.name in chosen for unit in group.units}
    chosen |= {branch.name for branch in engine.graph.branches if held & engine.graph.inside(branch)}
    return chosen | (frozenset(names) - wanted if wanted else frozenset())


def _types(engine: Engine, layer: nn.Layer) -> dict[str, set[str]]:
    """Type of layer -> the groups whose channels such a layer makes."""
    layers, found = dict(layer.named_sublayers(include_self=True)), dict[str, set[str]]()
    makers = {
        name: [axis.parameter.rpartition(".")[0] for axis in axes if axis.role == "own"]
        for name, axes in engine.graph.axes_of.items()
    }
    for name in dict.fromkeys([*makers, *(group.name for group in engine.groups)]):
        for maker in makers.get(name) or [name]:  # where all of its channels stay, it is named by the layer
            if maker in layers:
                found.setdefault(type(layers[maker]).__name__, set()).add(name)
    return found


def _of_type(name: str, types: Mapping[str, set[str]]) -> set[str]:
    if name not in types:
        raise ConfigError(f"no group is made by a layer of type {name!r}; there are {', '.join(sorted(types))}")
    return types[name]
