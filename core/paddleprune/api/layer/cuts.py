"""A plan of any layer: carry it out, undo it, and load the weights of what is left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from paddle import nn

from paddleprune.api.layer.graph import LayerGraph
from paddleprune.api.layer.inputs import read_calibration, read_probe
from paddleprune.engines import Engine, open_engine
from paddleprune.errors import CheckpointError, PlanError
from paddleprune.files import user_path
from paddleprune.graph.tensors import named_tensors, parameter_names, unwrapped
from paddleprune.pruning import Plan, resize
from paddleprune.pruning.emptied import goes_with
from paddleprune.pruning.outcome import Certificate
from paddleprune.pruning.plan import Counts
from paddleprune.pruning.surgery import Undo, attributes_of, snapshot
from paddleprune.repair import RIDGE, record, repair
from paddleprune.sensitivity import model_digest
from paddleprune.training.foreign import read_foreign

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
            with; what that gave is in `plan.plan.repair`. Of a `paddle.io.DataLoader`, or anything else that gives
            batches, the first 256 samples are taken, without labels.
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
    seen = None if calibration is None else record(layer, read_calibration(calibration, graph.channels.inputs), memory)
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


def load_shrunk(layer: nn.Layer, plan: LayerPlan | str | Path, weights: str | Path | Mapping[str, Any]) -> None:
    """Make a freshly built layer the shrunk one: its shapes, and its weights.

    Args:
        layer: dense, built like the one that was shrunk; changed in place.
        plan: the plan that was carried out, or its file, saved after the cut; the last one, if there were several.
        weights: the `state_dict()` of the shrunk layer, trained or not; or the file that it was saved in
            (`.pdparams`, `.safetensors`), which is read as plain data.

    Raises:
        PlanError: the file isn't a plan, or was saved before the cut.
        CheckpointError: the weights can't be read, or aren't those of this layer, cut by this plan.
    """
    layer = unwrapped(layer)
    if isinstance(weights, (str, Path)):
        weights = read_foreign(user_path(weights)).arrays
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
