"""Any layer, without a plugin, a task or a dataset: trace it, look at it, mask it, shrink it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paddle import nn

from paddleprune.engines import Engine, open_engine
from paddleprune.errors import ConfigError, PlanError
from paddleprune.graph import ChannelGraph, Explanation, Group, build_graph, masked, random_inputs
from paddleprune.graph import explain as describe
from paddleprune.graph.tensors import named_tensors
from paddleprune.graph.walker import Attention
from paddleprune.pruning import Plan, protect_hard_coded, resize, solve
from paddleprune.pruning.plan import Certificate
from paddleprune.pruning.surgery import Undo, snapshot
from paddleprune.sensitivity import Identity, SensitivityTable, model_digest, sweep
from paddleprune.settings import RATIOS, Criterion, EngineName


class LayerGraph:
    """A layer and what may be cut from it. `trace` makes it.

    Attributes:
        layer: the layer that was traced.
        channels: its channel graph.
        probe: inputs of the layer, that prove a cut.
    """

    def __init__(self, layer: nn.Layer, channels: ChannelGraph, probe: tuple[Any, ...]) -> None:
        self.layer, self.channels, self.probe = layer, channels, probe

    @property
    def groups(self) -> tuple[Group, ...]:
        """Every group, in the network's order, the protected ones included."""
        return self.channels.groups

    @property
    def prunable(self) -> tuple[Group, ...]:
        """The groups that aren't protected."""
        return self.channels.prunable

    def __getitem__(self, name: str) -> Group:
        return self.channels[name]

    def explain(self) -> Explanation:
        """Every group with its size and shares, or why it is protected; `print` shows a table."""
        return describe(self.channels)

    @contextmanager
    def masked(self, ratios: Mapping[str, float], criterion: Criterion = "l1") -> Iterator[nn.Layer]:
        """While open, the layer computes what it would without those shares of the groups' units.

        Args:
            ratios: group name -> share of its units; the least important ones go.
            criterion: what makes a unit matter.

        Raises:
            UnknownNameError: a name isn't a group of the layer.
            PlanError: a group can't be pruned, or not be masked, or a ratio isn't between 0 and 1.
        """
        for name in ratios:
            if self[name].inexact:
                raise PlanError(f"{name!r} can't be masked ({self[name].inexact}); shrink it instead")
        with masked(self.layer, self.channels, plan(self, ratios, criterion=criterion).plan.removed(self.channels)):
            yield self.layer


class LayerPlan:
    """What goes from a traced layer. `plan` makes it, `shrink` carries it out.

    Attributes:
        graph: the layer that it is for.
        plan: group -> the units that stay; with the certificate once it has been carried out.
        engine: what carries it out.
    """

    def __init__(self, graph: LayerGraph, plan: Plan, engine: Engine) -> None:
        self.graph, self.plan, self.engine = graph, plan, engine
        self._undo: tuple[nn.Layer, Undo] | None = None

    @property
    def certificate(self) -> Certificate | None:
        """The proof that what was cut is what masking computes; None before the cut."""
        return self.plan.certificate

    def summary(self) -> str:
        """One line: what goes."""
        return self.plan.summary()

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON, for a review or for `load_plan`."""
        self.plan.save(Path(path))

    def undo(self, layer: nn.Layer) -> None:
        """Restore a layer bit for bit.

        Raises:
            PlanError: the layer wasn't shrunk with this plan.
        """
        if self._undo is None or self._undo[0] is not layer:
            raise PlanError("this layer wasn't shrunk with this plan, so that there is nothing to undo")
        self._undo[1](layer)
        self._undo = None
        self.plan = self.plan.model_copy(update={"certificate": None, "attributes": {}})

    def fit(self, fresh: nn.Layer) -> None:
        """Give a freshly built layer the shapes of the shrunk one, so that it takes its `state_dict`.

        Raises:
            PlanError: the layer isn't built like the one that was traced.
        """
        if {name: tuple(t.shape) for name, t in named_tensors(fresh).items()} != dict(self.graph.channels.shapes):
            raise PlanError("the layer's parameters aren't those of the dense layer that was traced")
        removed = self.plan.removed(self.graph.channels)
        without = self.graph.channels.without(removed)
        resize(fresh, dict(without.shapes), self.plan.attributes)


def trace(
    layer: nn.Layer, input_spec: Sequence[Any], *, attention: Attention = "heads", inexact: bool = False
) -> LayerGraph:
    """Find the groups of channels that can be removed from any layer. The layer is left as it was.

    Args:
        layer: any layer that Paddle can trace, on the inputs that its forward takes by position.
        input_spec: for each of them a shape with the batch axis (float32), a `paddle.static.InputSpec`, an
            example, or a list or dict of those.
        attention: what attention loses: whole "heads", or "dims", the same offsets of every head.
        inexact: allow groups where a masked channel isn't a missing one (layer norm, group norm, a softmax or
            mean over channels): they are measured on the shrunk layer.

    Raises:
        GraphError: the layer can't be traced.
    """
    channels = build_graph(layer, _as_inputs(input_spec), attention=attention, inexact=inexact)
    channels = protect_hard_coded(layer, channels)
    return LayerGraph(layer, channels, random_inputs(channels.inputs))


def plan(
    graph: LayerGraph,
    what: Mapping[str, float] | SensitivityTable,
    *,
    criterion: Criterion = "l1",
    round_to: int = 1,
    eval_metric_loss: float = 0.05,
    engine: EngineName = "native",
) -> LayerPlan:
    """Decide which units go.

    Args:
        graph: the traced layer.
        what: group name -> share of its units; or a table that `analyze_layer` measured.
        criterion: what makes a unit matter; a table brings its own.
        round_to: every layer that loses filters keeps a multiple of this many, by keeping more.
        eval_metric_loss: with a table, the share of the metric that each group alone may lose.
        engine: what carries the plan out, "native" or "paddleslim"; a table brings its own.

    Raises:
        UnknownNameError: a name isn't a group of the layer.
        PlanError: a group can't be pruned, or a ratio isn't between 0 and 1.
        TableError: the table was measured of another layer.
    """
    if isinstance(what, SensitivityTable):
        what.check_model(model_digest(graph.layer), "the table")
        identity = what.identity
        chosen = open_engine(identity.engine, graph.layer, graph.channels, identity.criterion)
        return LayerPlan(graph, solve(chosen, what, eval_metric_loss, round_to), chosen)
    chosen = open_engine(engine, graph.layer, graph.channels, criterion)
    return LayerPlan(graph, chosen.plan(what, round_to=round_to), chosen)


def load_plan(graph: LayerGraph, path: str | Path) -> LayerPlan:
    """Read a plan that was saved, for a layer that is built like the one it was made for.

    Raises:
        PlanError: the file isn't a plan.
    """
    return LayerPlan(graph, Plan.load(Path(path)), open_engine("native", graph.layer, graph.channels, "l1"))


def shrink(layer: nn.Layer, plan: LayerPlan, probe: Sequence[Any] | None = None) -> None:
    """Really remove a plan's units from the layer, in place, and prove that masking them computes the same.

    Args:
        layer: the layer that was traced.
        plan: what goes.
        probe: inputs of the layer for the proof; random ones if None.

    Raises:
        PlanError: the plan is for another layer, or was carried out already.
        CertificateError: the outputs differ, or the shrunk layer doesn't run; it is restored bit for bit.
    """
    if layer is not plan.graph.layer:
        raise PlanError("the plan is for another layer; trace this one, or give a fresh one its shapes with plan.fit")
    if plan._undo is not None:
        raise PlanError("the layer was shrunk with this plan already; plan.undo(layer) restores it")
    undo = snapshot(layer, plan.graph.channels)
    plan.plan = plan.engine.prune(plan.plan, plan.graph.probe if probe is None else tuple(probe))
    plan._undo = (layer, undo)


def analyze_layer(
    graph: LayerGraph,
    evaluate: Callable[[nn.Layer], float],
    *,
    criterion: Criterion = "l1",
    ratios: Sequence[float] = RATIOS,
    higher_is_better: bool = True,
    save_file: str | Path | None = None,
    engine: EngineName = "native",
) -> SensitivityTable:
    """Measure how much every group matters, one group and ratio after the other.

    Args:
        graph: the traced layer.
        evaluate: gives the metric of the layer, which is masked meanwhile (shrunk, for inexact groups).
        criterion: which units of a group go first.
        ratios: shares of a group's units, each between 0 and 1.
        higher_is_better: the metric's direction.
        save_file: where the table goes, or is: the same call continues it.
        engine: what masks and later prunes the layer, "native" or "paddleslim".

    Raises:
        ConfigError: a ratio isn't between 0 and 1.
        TableError: the file holds a table of something else, or the dense metric is 0 or not finite.
    """
    chosen = open_engine(engine, graph.layer, graph.channels, criterion)

    def measure(shares: Mapping[str, float]) -> float:
        with chosen.removing(shares):
            return float(evaluate(graph.layer))

    identity = Identity(
        model=model_digest(graph.layer),
        data="",
        samples=0,
        metric="evaluate",
        higher_is_better=higher_is_better,
        criterion=criterion,
        engine=engine,
    )
    where = None if save_file is None else Path(save_file)
    return sweep(chosen.groups, measure, identity, ratios=ratios, save_file=where)


def _as_inputs(given: Any) -> Sequence[Any]:
    """A single shape, tensor or spec as the only argument.

    Raises:
        ConfigError: it is neither a description of one input nor a sequence of them.
    """
    if hasattr(given, "shape"):
        return [given]
    if isinstance(given, dict):
        return [given]
    if not isinstance(given, (list, tuple)) or not given:
        raise ConfigError(f"input_spec is {given!r}; give a shape for each input, such as [(1, 3, 224, 224)]")
    return [given] if all(isinstance(n, int) for n in given) else given
