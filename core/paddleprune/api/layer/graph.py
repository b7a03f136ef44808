"""Any layer, without a plugin, a task or a dataset: trace it, look at it, mask it, analyze it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, get_args

from paddle import nn

from paddleprune.api.layer.inputs import example_inputs, read_arguments
from paddleprune.console import progress
from paddleprune.engines import Engine, left_whole, open_engine
from paddleprune.errors import ConfigError, GraphError, PlanError
from paddleprune.files import user_path
from paddleprune.graph import ChannelGraph, Explanation, Group, build_graph, masked
from paddleprune.graph import explain as describe
from paddleprune.graph.branches import Branch
from paddleprune.graph.modes import in_mode
from paddleprune.graph.tensors import named_tensors, not_finite, unwrapped
from paddleprune.graph.walker import Attention
from paddleprune.interfaces import Scorer
from paddleprune.pruning import protect_hard_coded
from paddleprune.sensitivity import Identity, Importance, SensitivityTable, criterion_name, model_digest, sweep
from paddleprune.sensitivity.measuring.kept import writing_table
from paddleprune.sensitivity.measuring.measurer import Known, Scores
from paddleprune.sensitivity.measuring.scores import Score, metric_loss
from paddleprune.settings import RATIOS, Criterion, EngineName
from paddleprune.validation import choose_from


class LayerGraph:
    """A layer and what may be cut from it. `trace` makes it.

    Attributes:
        layer: the layer that was traced; what `paddle.DataParallel` wraps, if it was that.
        channels: its channel graph.
        probe: inputs of the layer, which prove a cut: the examples that were given, random ones elsewhere.
    """

    def __init__(self, layer: nn.Layer, channels: ChannelGraph, probe: tuple[Any, ...]) -> None:
        self.layer, self.channels, self.probe = layer, channels, probe

    def __repr__(self) -> str:
        count = f"{len(self.prunable)} of {len(self.groups)} groups can be pruned"
        return f"<LayerGraph of {type(self.layer).__name__}: {count}>"

    @property
    def groups(self) -> tuple[Group, ...]:
        """Every group, in the network's order, the protected ones included."""
        return self.channels.groups

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Every residual branch, the protected ones included; empty where `depth` wasn't asked for."""
        return self.channels.branches

    @property
    def prunable(self) -> tuple[Group, ...]:
        """The groups that aren't protected."""
        return self.channels.prunable

    def __getitem__(self, name: str) -> Group:
        return self.channels[name]

    def explain(self) -> Explanation:
        """Every group with its size and shares, or why it is protected; `print` shows a table.

        Raises:
            GraphError: the layer has changed since it was traced.
        """
        self.check_current()
        return describe(self.channels)

    @contextmanager
    def masked(
        self, ratios: Mapping[str, float], criterion: Criterion | Scorer | Importance = "l1"
    ) -> Iterator[nn.Layer]:
        """While open, the layer computes what it would without those shares of the groups' units.

        Afterwards it is restored bit for bit.

        Args:
            ratios: group name -> share of its units; the least important ones go.
            criterion: what makes a unit matter: a name, a function of your own, or what `score_units` gave.

        Raises:
            UnknownNameError: a name isn't a group of the layer.
            PlanError: a group can't be pruned, or not be masked, or a ratio isn't from 0 to below 1.
        """
        self.check_current()
        for name in ratios:
            if self[name].inexact:
                raise PlanError(f"{name!r} can't be masked ({self[name].inexact}); shrink it, and undo that")
        plan = open_engine("native", self.layer, self.channels, criterion).plan(ratios)
        with masked(self.layer, self.channels, plan.removed(self.channels)):
            yield self.layer

    def check_current(self) -> None:
        """Refuse a layer that has other shapes than when it was traced, or weights that aren't numbers.

        Raises:
            GraphError: naming the first parameter that has.
        """
        tensors = named_tensors(self.layer)
        for name, shape in self.channels.shapes.items():
            now = tuple(tensors[name].shape) if name in tensors else None
            if now != shape:
                raise GraphError(
                    f"{name} had the shape {shape} when the layer was traced and has {now or 'gone'} now; "
                    "trace the layer again, or undo the plan that shrunk it"
                )
        _check_finite(self.layer)


def trace(
    layer: nn.Layer, input_spec: Any, *, attention: Attention = "heads", inexact: bool = False, depth: bool = False
) -> LayerGraph:
    """Find the groups of channels that can be removed from any layer. The layer is left as it was.

    Args:
        layer: any layer that Paddle can trace.
        input_spec: for each argument of its forward, in order, a shape with the batch axis (float32), a
            `paddle.static.InputSpec`, an example, or a list or dict of those; or just the only argument's. A batch
            axis that is left open counts as 1. Examples also prove the cuts; give them where random numbers
            (0 or 1 for integers) won't do.
        attention: what attention loses: whole "heads", or "dims", the same offsets of every head.
        inexact: allow groups where a masked channel isn't a missing one (layer norm, group norm, a softmax or
            mean over channels): they are measured on the shrunk layer.
        depth: find residual branches, too, which may go as a whole: plans for a budget then choose among both.

    Raises:
        ConfigError: an argument can't be used.
        GraphError: the layer can't be traced, doesn't run, or has weights that aren't numbers.
    """
    if not isinstance(layer, nn.Layer):
        raise ConfigError(f"layer is {layer!r}; give a paddle.nn.Layer, built")
    if attention not in get_args(Attention):
        raise ConfigError(f"unknown attention {attention!r}{choose_from(str(attention), get_args(Attention))}")
    layer, arguments = unwrapped(layer), read_arguments(input_spec)
    _check_finite(layer)
    channels = build_graph(layer, arguments, attention=attention, inexact=inexact, depth=depth)
    probe = example_inputs(arguments, channels.inputs)
    return LayerGraph(layer, protect_hard_coded(layer, channels, probe), probe)


def _check_finite(layer: nn.Layer) -> None:
    """Refuse weights of which no table, plan or certificate could say anything."""
    found = not_finite(layer)
    if found is not None:
        raise GraphError(f"{found}; load weights that are numbers, or train the layer again")


def analyze_layer(
    graph: LayerGraph,
    evaluate: Callable[[nn.Layer], float],
    *,
    criterion: Criterion | Scorer | Importance = "l1",
    ratios: Sequence[float] = RATIOS,
    exclude: str | Sequence[str] = (),
    higher_is_better: bool = True,
    save_file: str | Path | None = None,
    engine: EngineName = "native",
) -> SensitivityTable:
    """Measure how much every group matters, one group and ratio after the other.

    Args:
        graph: the traced layer.
        evaluate: gives the metric of the layer, which is in evaluation mode and lacks the units meanwhile: masked,
            or shrunk where a mask isn't exact. It must leave the weights alone.
        criterion: which units of a group go first: "l1", "l2", "fpgm", "bn_scale" or "lamp"; a function of your own,
            as `paddleprune.interfaces.Scorer` says; or what `score_units` gave for "taylor" or "obd", which the table
            keeps.
        ratios: shares of a group's units, each between 0 and 1.
        exclude: groups to leave out, by name, by glob (`features.0.*`) or by the type of the layers that make them
            (`type:Linear`).
        higher_is_better: the metric's direction.
        save_file: where the table goes, or is: the same call continues it. It knows the layer by its weights, but
            not what `evaluate` does: use another file for other data or another metric.
        engine: what removes the units, "native" or "paddleslim".

    Raises:
        ConfigError: a ratio isn't between 0 and 1, or `evaluate` doesn't return a number.
        TableError: the file holds a table of something else, or the dense metric is 0 or not finite.
    """
    graph.check_current()
    layer = graph.layer
    chosen = open_engine(engine, layer, graph.channels, criterion)

    identity = Identity(
        model=model_digest(layer),
        data="",
        samples=0,
        metric="evaluate",
        higher_is_better=higher_is_better,
        criterion=criterion_name(criterion),
        engine=engine,
    )
    where = None if save_file is None else user_path(save_file)
    whole = left_whole(chosen, layer, exclude)
    groups = [group for group in chosen.groups if group.name not in whole]
    with in_mode(layer, train=False), writing_table(where) if where is not None else nullcontext():
        measurer = _Called(layer, chosen, evaluate, identity)
        scores = criterion.scores if isinstance(criterion, Importance) else None
        return sweep(groups, measurer, identity, ratios=ratios, save_file=where, ranked_by=scores)


class _Called:
    """Measures entries by calling the user's function."""

    def __init__(
        self, layer: nn.Layer, engine: Engine, evaluate: Callable[[nn.Layer], float], identity: Identity
    ) -> None:
        self._layer, self._engine, self._evaluate, self._identity = layer, engine, evaluate, identity

    def baseline(self) -> float:
        """The metric of the dense layer, which must be the same afterwards."""
        value = self._value({})
        if model_digest(self._layer) != self._identity.model:
            raise ConfigError("evaluate changed the layer's weights or statistics; it may only run the layer")
        return value

    def measure(self, work: Mapping[str, Known], baseline: float) -> Generator[Scores, None, None]:
        """One entry after the other."""
        entries = [(name, ratio) for name, known in work.items() for ratio, score in known.items() if score is None]
        with progress("analyze", len(entries)) as bar:
            for name, ratio in entries:
                value = self._value({name: ratio})
                loss = metric_loss(baseline, value, self._identity.higher_is_better)
                yield {(name, ratio): Score(value, loss)}
                bar.advance(note=f"{name} {ratio:g} -> {value:.4f}")

    def _value(self, shares: Mapping[str, float]) -> float:
        self._layer.eval()
        with self._engine.removing(shares):
            return as_number(self._evaluate(self._layer))


def as_number(value: Any) -> float:
    """What a user's `evaluate` returned, as a number.

    Raises:
        ConfigError: it is none.
    """
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"evaluate returned {value!r}; it must return the metric, one number") from error
