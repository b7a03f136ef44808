"""What goes from any layer: decide it, carry it out, undo it, and load the weights of what is left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, Literal, cast

from paddle import nn

from paddleprune.api.budgets import Priced, within
from paddleprune.api.layer_inputs import read_probe
from paddleprune.api.layers import LayerGraph
from paddleprune.api.paths import paths_for
from paddleprune.engines import Engine, left_whole, open_engine
from paddleprune.errors import CheckpointError, ConfigError, PlanError
from paddleprune.files import user_path
from paddleprune.graph.tensors import named_tensors, parameter_names, unwrapped
from paddleprune.interfaces import Scorer
from paddleprune.pruning import Plan, resize
from paddleprune.pruning.emptied import goes_with
from paddleprune.pruning.plan import Certificate, Counts
from paddleprune.pruning.surgery import Undo, attributes_of, snapshot
from paddleprune.repair import RIDGE, record, repair
from paddleprune.sensitivity import Importance, SensitivityTable, criterion_name, criterion_of, model_digest
from paddleprune.settings import USUAL_TOLERANCE, Criterion, EngineName, PruneSettings, RuntimeName
from paddleprune.solver import solve
from paddleprune.validation import SETTING, validated

_NOT_DONE: dict[str, Any] = {
    **{"certificate": None, "attributes": {}, "emptied": {}, "buffers": {}},
    **{"repair": None, "joint": None},
}
"""What a plan says that hasn't been carried out."""


class LayerPlan:
    """What goes from a traced layer. `plan` makes it, `shrink` carries it out.

    Attributes:
        graph: the layer that it is for.
        plan: group -> the units that stay; with the certificate once it has been carried out.
        engine: what carries it out.
    """

    def __init__(self, graph: LayerGraph, plan: Plan, engine: Engine) -> None:
        self.graph, self.plan, self.engine = graph, plan, engine
        self._undo: Undo | None = None
        self._left: dict[str, tuple[int, ...]] = {}

    def __repr__(self) -> str:
        return f"<LayerPlan of {type(self.graph.layer).__name__}: {self.summary()}>"

    @property
    def certificate(self) -> Certificate | None:
        """The proof that what was cut is what masking computes; None before the cut."""
        return self.plan.certificate

    def summary(self) -> str:
        """One line: what goes."""
        return self.plan.summary()

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON: before the cut for a review and `load_plan`, after it for `load_shrunk`."""
        self.plan.save(user_path(path))

    def undo(self, layer: nn.Layer) -> None:
        """Restore a layer bit for bit, whatever it has learned since the cut.

        Raises:
            PlanError: the layer wasn't shrunk with this plan, or something else was cut from it since.
        """
        layer = unwrapped(layer)
        if self._undo is None or layer is not self.graph.layer:
            raise PlanError("this layer wasn't shrunk with this plan, so that there is nothing to undo")
        now = _shapes(self.graph)
        for name, shape in self._left.items():
            if now.get(name) != shape:
                raise PlanError(
                    f"{name} had the shape {shape} when this plan had been carried out and has "
                    f"{now.get(name) or 'gone'} now; undo later plans first, the last one before the others"
                )
        self._undo(layer)
        for tensor in layer.parameters():
            tensor.clear_gradient(set_to_zero=False)
        self._undo = None
        self.plan = self.plan.model_copy(update=_NOT_DONE)


def plan(
    graph: LayerGraph,
    what: Mapping[str, float] | SensitivityTable | float | None = None,
    *,
    flops: float | str | None = None,
    params: float | str | None = None,
    latency: float | str | None = None,
    runtime: RuntimeName = "paddle",
    threads: int | None = None,
    onednn: bool = True,
    calibration: Any = None,
    criterion: Literal["obs"] | Criterion | Scorer | Importance | None = None,
    round_to: int = 1,
    engine: EngineName | None = None,
    eval_metric_loss: float | None = None,
    exclude: str | Sequence[str] = (),
    only: str | Sequence[str] = (),
) -> LayerPlan:
    """Decide which units go.

    Args:
        graph: the traced layer.
        what: group name -> share of its units, or branch name -> 1; one share for every group; or a table that
            `analyze_layer` measured. Nothing where a budget says it.
        flops: what may stay of the FLOPs: a share up to 1, or a number such as "150M". The units that lose least for
            what they save go, by the table, by `calibration`, or at one ratio for all groups by the criterion.
        params: what may stay of the parameters; likewise.
        latency: how long one sample may take on this CPU, measured: a share of what the layer takes now, or a time such
            as "8ms".
        runtime: what runs it for the latency: "paddle" (Paddle Inference), "onnxruntime" or "openvino".
        threads: CPU threads for the latency; all cores by default.
        onednn: whether the latency is that with oneDNN; it can be off in Paddle Inference alone.
        calibration: real inputs of the layer, [N, ...] for each argument of its forward: those units then go first
            that a repair with the same inputs can do without.
        criterion: what makes a unit matter: "l1", the default, "l2", "fpgm", "bn_scale" or "lamp"; a function of your
            own, as `paddleprune.interfaces.Scorer` says; or what `score_units` gave for "taylor" or "obd". Within a
            budget it takes the place of what `calibration` says ("obs"), which then has no part in the plan. A table
            brings its own, and wants the function if it was one.
        round_to: every layer that loses filters keeps a multiple of this many, by keeping more; a group where
            that can't be stays whole.
        engine: what carries the plan out: "native", the default, or "paddleslim"; a table brings its own.
        eval_metric_loss: with a table, the share of the metric that each group alone may lose; 0.05 by default.
        exclude: groups that stay whole, by name, by glob (`features.0.*`) or by the type of the layers that make them
            (`type:Linear`).
        only: likewise, the groups that may be pruned, if not all.

    Raises:
        UnknownNameError: a name isn't a group of the layer.
        PlanError: a group can't be pruned, a ratio isn't from 0 to below 1, or a budget can't be had.
        TableError: the table was measured with other weights.
        ConfigError: an argument can't be used, or doesn't go with the others.
        DependencyError: the runtime isn't installed.
    """
    graph.check_current()
    given = {"flops": flops, "params": params, "latency": latency, "runtime": runtime}
    given |= {"threads": threads, "onednn": onednn, "eval_metric_loss": eval_metric_loss, "round_to": round_to}
    asked = validated(PruneSettings, given, "plan", SETTING)
    ranking = None if isinstance(criterion, str) and criterion == "obs" else criterion
    if isinstance(what, SensitivityTable):
        chosen = _engine_of_table(graph, what, ranking, engine)
        whole = left_whole(chosen, graph.layer, exclude, only)
        if asked.limits:
            return _within(graph, chosen, asked, whole, table=what, calibration=calibration)
        tolerance = USUAL_TOLERANCE if asked.eval_metric_loss is None else asked.eval_metric_loss
        return LayerPlan(graph, _bound(solve(chosen, what, tolerance, round_to, whole), graph), chosen)
    if eval_metric_loss is not None:
        raise ConfigError("eval_metric_loss goes with a sensitivity table; ratios say themselves how much goes")
    chosen = open_engine(engine or "native", graph.layer, graph.channels, ranking or "l1")
    if ranking is not None:
        asked = asked.model_copy(update={"criterion": criterion_name(ranking)})
    whole = left_whole(chosen, graph.layer, exclude, only)
    if asked.limits:
        if what is not None:
            raise ConfigError(f"give ratios or a budget, not both: leave {next(iter(asked.limits))} out, or the ratios")
        return _within(graph, chosen, asked, whole, calibration=calibration)
    ratios = {name: ratio for name, ratio in _ratios(what, chosen).items() if name not in whole}
    return LayerPlan(graph, _bound(chosen.plan(ratios, round_to=round_to), graph), chosen)


def _ratios(what: Any, engine: Engine) -> Mapping[str, float]:
    """Group name -> share of its units.

    Raises:
        ConfigError: it is something else.
        PlanError: a share is no number.
    """
    if isinstance(what, Real) and not isinstance(what, bool):
        return {group.name: float(what) for group in engine.groups}
    if not isinstance(what, Mapping):
        raise ConfigError(
            f"the plan's ratios are {what!r}; give a dict of group names and ratios, one ratio for all, a table, or "
            "a budget such as flops=0.5"
        )
    for name, ratio in what.items():
        if not isinstance(ratio, Real):
            raise PlanError(f"the ratio of {name!r} must be a number between 0 and 1, got {ratio!r}")
    return what


def _within(
    graph: LayerGraph,
    engine: Engine,
    asked: PruneSettings,
    whole: frozenset[str],
    *,
    table: SensitivityTable | None = None,
    calibration: Any = None,
) -> LayerPlan:
    """The plan that meets a budget's limits."""
    layer, channels = graph.layer, graph.channels
    seen = None if calibration is None else record(layer, read_probe(calibration))
    priced = Priced.of(layer, engine, asked)
    path = paths_for(engine, layer, channels, priced.costs, asked, seen=seen, table=table, whole=whole)[0]
    return LayerPlan(graph, _bound(within(path, channels, priced, asked), graph), engine)


def _engine_of_table(
    graph: LayerGraph,
    table: SensitivityTable,
    criterion: Criterion | Scorer | Importance | None,
    engine: EngineName | None,
) -> Engine:
    """The engine that measured a table, with its criterion.

    Raises:
        ConfigError: the user wants another one.
        TableError: the table was measured with other weights.
    """
    identity = table.identity
    if engine not in (None, identity.engine):
        raise ConfigError(
            f"the table was measured with the engine {identity.engine!r}, not {engine!r}; leave engine out"
        )
    ranking = criterion_of(table, criterion)
    table.check_model(model_digest(graph.layer), "the table")
    return open_engine(identity.engine, graph.layer, graph.channels, ranking)


def _bound(plan: Plan, graph: LayerGraph) -> Plan:
    """The plan, which says for which weights it was made."""
    return plan.model_copy(update={"model": model_digest(graph.layer)})


def load_plan(graph: LayerGraph, path: str | Path, *, edited: bool = False) -> LayerPlan:
    """Read a plan that was saved, to carry it out on a layer.

    Args:
        graph: the traced layer: dense, and with the weights that the plan was made for.
        path: the plan's file.
        edited: the file was changed by hand: take it as it is. A plan whose "model" is "" fits other weights, too.

    Raises:
        PlanError: the file isn't a plan or isn't what was saved, or was made for another layer or other weights.
        UnknownNameError: it names a group that the layer doesn't have.
    """
    graph.check_current()
    read, channels = Plan.load(user_path(path), edited=edited), graph.channels
    units = read.removed(channels) if read.engine == "native" else []
    read.check_model(model_digest(graph.layer))
    fresh: dict[str, Any] = dict(_NOT_DONE)
    if read.engine == "native":
        left = channels.cost(units)
        fresh["after"] = Counts(parameters=left.parameters, flops=left.flops)
    chosen = open_engine(read.engine, graph.layer, channels, "l1")  # ranks nothing: the plan names its units
    return LayerPlan(graph, read.model_copy(update=fresh), chosen)


def shrink(
    layer: nn.Layer,
    plan: LayerPlan,
    probe: Any = None,
    *,
    calibration: Any = None,
    ridge: float = RIDGE,
    memory: int | None = None,
) -> Certificate:
    """Really remove a plan's units from the layer, in place, and prove that masking them computes the same.

    With `calibration` what is left is then repaired, in closed form, so that it works at once. Parameters stay the
    same objects; make optimizers afterwards, since theirs have other shapes.

    Args:
        layer: the layer that was traced.
        plan: what goes; it remembers the dense weights, so that it can undo this.
        probe: inputs of the layer for the proof, an example for each argument of its forward; by default those of
            the trace.
        calibration: real inputs of the layer, [N, ...] for each argument of its forward (200 suffice), to repair it
            with; what that gave is in `plan.plan.repair`.
        ridge: how strongly the repair keeps to the weights that the cut left.
        memory: bytes that the repair may take; by default a quarter of what is free.

    Returns:
        The proof, of the cut before its repair; the plan has it too.

    Raises:
        PlanError: the plan is for another layer, or was carried out already.
        CertificateError: the outputs differ, or the shrunk layer doesn't run; it is restored bit for bit.
    """
    layer = unwrapped(layer)
    if layer is not plan.graph.layer:
        raise PlanError(
            "the plan is for another layer: trace this one and load the plan with load_plan, "
            "or load weights of the shrunk layer into it with load_shrunk"
        )
    if plan._undo is not None:
        raise PlanError("the layer was shrunk with this plan already; plan.undo(layer) restores it")
    graph, inputs = plan.graph, plan.graph.probe if probe is None else read_probe(probe)
    graph.check_current()
    seen = None if calibration is None else record(layer, read_probe(calibration), memory)
    undo, cut = snapshot(layer, graph.channels), plan.engine.cut(plan.plan)
    done = plan.engine.prune(plan.plan, inputs)
    if seen is not None:
        done = done.model_copy(update={"repair": repair(layer, seen, cut, ridge=ridge)})
    plan.plan = done.model_copy(update={"attributes": _all_attributes(layer, graph, done)})
    plan._undo, plan._left = undo, _shapes(graph)
    return cast(Certificate, done.certificate)


def _shapes(graph: LayerGraph) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter and buffer that the graph knows: what a forward keeps for itself is none of them."""
    tensors = named_tensors(graph.layer)
    return {name: tuple(tensors[name].shape) for name in graph.channels.shapes if name in tensors}


def _all_attributes(layer: nn.Layer, graph: LayerGraph, done: Plan) -> dict[str, dict[str, int]]:
    """What the shrunk layer's shapes don't tell; unchanged values too, since an earlier plan may have changed them."""
    said = attributes_of(layer, graph.channels)
    return {name: {**own, **done.attributes.get(name, {})} for name, own in said.items()}


def adopt(graph: LayerGraph, done: Plan, engine: Engine, undo: Undo) -> LayerPlan:
    """A plan that has been carried out on a graph's layer, with what undoes it."""
    said = {"attributes": _all_attributes(graph.layer, graph, done)}
    found = LayerPlan(graph, done.model_copy(update=said), engine)
    found._undo, found._left = undo, _shapes(graph)
    return found


def load_shrunk(layer: nn.Layer, plan: LayerPlan | str | Path, weights: Mapping[str, Any]) -> None:
    """Make a freshly built layer the shrunk one: its shapes, and its weights.

    Args:
        layer: dense, built like the one that was shrunk; changed in place.
        plan: the plan that was carried out, or its file, saved after the cut; the last one, if there were several.
        weights: the `state_dict()` of the shrunk layer, trained or not, as `paddle.load` gives it.

    Raises:
        PlanError: the file isn't a plan, or was saved before the cut.
        CheckpointError: the weights aren't those of this layer, cut by this plan.
    """
    layer = unwrapped(layer)
    done = plan.plan if isinstance(plan, LayerPlan) else Plan.load(user_path(plan))
    place = "the plan" if isinstance(plan, LayerPlan) else str(plan)
    if done.certificate is None:
        raise PlanError(
            f"{place} was saved before it was carried out; save it again after shrink "
            "(trace a fresh layer, load_plan and shrink it, to do that now)"
        )
    wanted = [name for name in layer.state_dict() if not goes_with(name, done.emptied)]
    strangers = [f"the weights lack {name!r}" for name in wanted if name not in weights]
    strangers += [f"the layer has no {name!r}" for name in weights if name not in wanted]
    if strangers:
        raise CheckpointError(f"{strangers[0]}; build the layer as it was before it was shrunk")
    shapes = {name: tuple(weights[name].shape) for name in named_tensors(layer) if name in weights}
    found = sum(math.prod(shapes[name]) for name in parameter_names(layer) if name in shapes)
    if found != done.after.parameters:
        raise CheckpointError(
            f"the weights are {found:,} parameters, but {place} leaves {done.after.parameters:,}; "
            "they don't belong together"
        )
    resize(layer, shapes, done.attributes, done.contents(), done.emptied)
    layer.set_state_dict(weights)
