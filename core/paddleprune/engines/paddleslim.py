"""PaddleSlim 2.6.0 on today's Paddle: every measure that this takes, and nothing else.

Its last release, of January 2024, neither declares all that it imports nor knows Paddle 3 and NumPy 2. Here it
is imported by need and in silence, traces in the old IR that it reads, and leaves a layer as Paddle made it.
"""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.dependencies import WAYS_OUT
from paddleprune.errors import DependencyError, GraphError, said_by
from paddleprune.graph.modes import in_mode
from paddleprune.graph.tensors import named_tensors
from paddleprune.interfaces import Array
from paddleprune.paddle_private import old_ir
from paddleprune.paddle_private.layers import buffers
from paddleprune.settings import FilterCriterion

WAY_OUT = 'engine="native", the default, can'
_PRUNERS: Mapping[FilterCriterion, str] = {
    "l1": "L1NormFilterPruner",
    "l2": "L2NormFilterPruner",
    "fpgm": "FPGMFilterPruner",
}
_CONVOLUTIONS = ("conv2d", "depthwise_conv2d")
_READS = {("conv2d", 1), ("conv2d_transpose", 0), ("matmul_v2", 0), ("mul", 0)}
"""(kind of operation, axis of its weight) that read an activation's channels."""


@dataclass(frozen=True)
class Member:
    """One axis of a parameter that a collection prunes.

    Attributes:
        parameter: structured name.
        axis: which of its axes.
        op: the kind of operation that uses it there.
        groups: of a convolution; 1 for other operations.
        reads: does the operation read an activation's channels with this axis?
    """

    parameter: str
    axis: int
    op: str
    groups: int
    reads: bool


@dataclass(frozen=True)
class Collection:
    """What PaddleSlim prunes together: the filters of a convolution and all that goes with them.

    Attributes:
        master: structured name of the weight whose filters are scored.
        size: how many filters it has.
        members: every parameter axis that shrinks.
    """

    master: str
    size: int
    members: tuple[Member, ...]


class SlimPruner:
    """One of PaddleSlim's filter pruners, for one layer, by structured names.

    Args:
        layer: what to prune; traced in evaluation mode, and left as it was.
        inputs: an example of each argument of its forward.
        criterion: which filters go first.

    Raises:
        DependencyError: PaddleSlim, or something that it imports, isn't installed.
        GraphError: PaddleSlim can't follow the layer.
    """

    def __init__(self, layer: nn.Layer, inputs: Sequence[Any], criterion: FilterCriterion) -> None:
        slim = load()
        self._layer = layer
        self._tensors = named_tensors(layer)
        self._names = {tensor.name: name for name, tensor in self._tensors.items()}
        try:
            with in_mode(layer, train=False), _heard() as said, old_ir.tracing():
                self._pruner = getattr(slim, _PRUNERS[criterion])(layer, list(inputs))
        except Exception as error:
            raise GraphError(f"PaddleSlim can't follow this network ({said_by(error)}); {WAY_OUT}") from error
        named = (re.search(r"^Unsupport.* (?:named|of) (\w+)", text) for text in said)
        self.unsupported = tuple(sorted({match[1] for match in named if match}))
        """The kinds of operations that it met and can't follow."""
        self._slim_of = {self._names[c.master_name]: c for c in self._pruner.collections}
        self.collections = tuple(self._collection(name, slim_) for name, slim_ in self._slim_of.items())

    def _collection(self, master: str, collection: Any) -> Collection:
        members = [
            Member(
                self._names[detail.name],
                detail.axis,
                detail.op.type(),
                int(detail.op.attr("groups") or 1) if detail.op.type() in _CONVOLUTIONS else 1,
                (detail.op.type(), detail.axis) in _READS,
            )
            for detail in collection.all_pruning_details()
            if detail.name in self._names  # it lists activations too
        ]
        return Collection(master, int(self._tensors[master].shape[0]), tuple(members))

    def choose(self, master: str, count: int) -> Array:
        """Which filters of a collection stay when its criterion removes `count` of them: [filters], bool."""
        collection = self._slim_of[master]
        size = int(self._tensors[master].shape[0])
        return np.asarray(self._pruner.cal_mask(count / size, collection)).astype(bool)

    def plan(self, kept: Mapping[str, Array]) -> SlimPlan:
        """What the removal of filters means for every parameter.

        Args:
            kept: master -> which of its filters stay: [filters], bool.
        """
        masks = {self._tensors[name].name: np.asarray(keep, np.int32) for name, keep in kept.items()}
        criterion = self._pruner.cal_mask
        self._pruner.cal_mask = lambda ratio, collection, num_head=-1: masks[collection.master_name]
        try:
            plan = self._pruner.prune_vars(dict.fromkeys(masks, 0.0), 0, apply=None)
        finally:
            self._pruner.cal_mask = criterion
        return SlimPlan(self._layer, plan, self._names)


class SlimPlan:
    """A PruningPlan of PaddleSlim for a layer, by structured names."""

    def __init__(self, layer: nn.Layer, plan: Any, names: Mapping[str, str]) -> None:
        self._layer, self._plan = layer, plan
        self.kept: dict[str, dict[int, Array]] = {
            names[name]: {mask.dims: np.asarray(mask.mask).astype(bool) for mask in masks}
            for name, masks in plan.masks.items()
            if name in names
        }
        """Parameter -> axis -> which positions stay, bool."""

    def apply(self) -> None:
        """Prune the layer in place, as PaddleSlim does, without the backups that it leaves in buffers."""
        tensors = named_tensors(self._layer)
        before = {name: set(buffers(sub)) for name, sub in self._layer.named_sublayers(include_self=True)}
        try:
            self._plan.apply(self._layer, lazy=False)
        finally:
            for name, sub in self._layer.named_sublayers(include_self=True):
                for backup in set(buffers(sub)) - before[name]:
                    del buffers(sub)[backup]
                vars(sub).pop("_origin_groups", None)
            for name in self.kept:
                tensors[name].clear_gradient(set_to_zero=False)


def load() -> Any:
    """Import PaddleSlim.

    Raises:
        DependencyError: it, or something that it imports, isn't installed.
    """
    old_ir.name_mode_guard()
    try:
        with warnings.catch_warnings(), _unlogged():
            warnings.simplefilter("ignore")
            slim = import_module("paddleslim")
    except ImportError as error:
        missing = f"the module {error.name!r} is not installed" if error.name else said_by(error)
        raise DependencyError(
            f"engine='paddleslim' needs PaddleSlim 2.6.0, but {missing}: {WAYS_OUT['paddleslim']}"
        ) from error
    for name in logging.root.manager.loggerDict:
        if name.partition(".")[0] == "paddleslim":
            logging.getLogger(name).setLevel(logging.ERROR)
    if not hasattr(np, "product"):  # NumPy 2 removed it, and FPGM calls it
        sys.modules["paddleslim.dygraph.prune.fpgm_pruner"].np = SimpleNamespace(**vars(np), product=np.prod)  # type: ignore[attr-defined]
    return slim


@contextmanager
def _unlogged() -> Iterator[None]:
    """While open, nothing below an error is logged: no warnings about parts of PaddleSlim that nobody asked for."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """While open, what PaddleSlim's search for collections would print goes into the list that this yields."""
    said: list[str] = []
    logger = logging.getLogger("paddleslim.prune.collections")
    level, handlers, propagate = logger.level, logger.handlers[:], logger.propagate
    listener = logging.Handler()
    listener.emit = lambda record: said.append(str(record.msg).strip("(),'\""))  # type: ignore[method-assign]
    logger.handlers, logger.propagate = [listener], False
    logger.setLevel(logging.WARNING)
    try:
        yield said
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
