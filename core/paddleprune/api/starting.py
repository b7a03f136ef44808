"""A network that starts from a checkpoint, pruned as that is, also with other classes or another input size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from paddle import nn

from paddleprune.console import counted, listed, say
from paddleprune.errors import CheckpointError, ConfigError
from paddleprune.interfaces import Array
from paddleprune.pruning import Plan
from paddleprune.pruning.emptied import goes_with
from paddleprune.pruning.surgery import resize
from paddleprune.registry import Registry
from paddleprune.specs import FamilyOptions
from paddleprune.training import Checkpoint, read_checkpoint, restore_weights
from paddleprune.training.foreign import Fitted, Foreign, fit_foreign
from paddleprune.training.weights import set_weights, weights_of

Shape: TypeAlias = tuple[int, ...]


def start_from(registry: Registry, path: Path, options: FamilyOptions) -> tuple[nn.Layer, Plan | None]:
    """A checkpoint's family with these options, cut as the checkpoint is cut, with all of its weights that fit.

    Only a head, what depends on the number of classes, may not fit; it starts afresh, and is named.

    Returns:
        The network, and the checkpoint's plan, if it is pruned.

    Raises:
        CheckpointError: the checkpoint can't be read, or something else than a head doesn't fit.
    """
    checkpoint = read_checkpoint(path)
    info = checkpoint.info
    trained = registry.options(info.task, info.family, info.options)
    layer = registry.build_model(info.task, info.family, options)
    if trained == options:
        restore_weights(layer, checkpoint)
        return layer, checkpoint.plan
    gone = checkpoint.plan.emptied if checkpoint.plan else {}
    fresh = {name: array for name, array in weights_of(layer).items() if not goes_with(name, gone)}
    dense = _shapes(registry, info.task, info.family, trained)
    changed = ", ".join(f"{name}={value}" for name, value in options if getattr(trained, name) != value)
    way_out = f"only heads may differ: leave {changed} out, or start without {path}"
    known = info.task, info.family
    heads = heads_of_family(registry, *known, trained) | heads_of_family(registry, *known, options)
    contents = dict[str, Array]()
    for name, array in fresh.items():
        before, cut = dense.get(name), checkpoint.weights.get(name)
        if before is not None and cut is not None and before == array.shape:
            contents[name] = cut
        elif (found := _afresh(array, before, cut)) is not None and (
            name in heads or _new_head(name, heads, checkpoint)
        ):
            contents[name] = found
        else:
            there = "isn't there" if cut is None else f"has the shape {list(before or cut.shape)}"
            raise CheckpointError(f"{name} {there} in {path} and {list(array.shape)} with {changed}; {way_out}")
    resize(
        layer,
        {name: array.shape for name, array in contents.items()},
        None if checkpoint.plan is None else checkpoint.plan.attributes,
        emptied=gone,
    )
    set_weights(layer, contents)
    _say_what_is_new(path, [name for name in fresh if dense.get(name) != fresh[name].shape], checkpoint, contents)
    return layer, checkpoint.plan


def start_from_file(
    registry: Registry,
    task: str,
    family: str,
    options: FamilyOptions,
    file: Foreign,
    names: Mapping[str, str] | None = None,
) -> tuple[nn.Layer, Fitted]:
    """A family with weights that another program saved; only a head may be missing, and starts afresh.

    Args:
        registry: knows the family.
        task: its task.
        family: its name.
        options: how it is built.
        file: the weights.
        names: the network's name -> the file's, where neither name nor order tells.

    Returns:
        The network, and what became of the file's weights.

    Raises:
        CheckpointError: the file lacks more than a head.
        ConfigError: a name is neither's.
    """
    layer = registry.build_model(task, family, options)
    fitted = fit_foreign(layer, file, names or {}, options.input_shapes() if file.kinds else ())
    heads = heads_of_family(registry, task, family, options)
    lacks = [name for name in fitted.missing if name not in heads]
    if lacks:
        raise CheckpointError(
            f"{file.path} lacks {listed(lacks)} of {family}; it also holds {listed(fitted.unused) or 'nothing else'}: "
            "say which is which with `names`, or give the options that it was trained with"
        )
    set_weights(layer, fitted.weights)
    order, known = len(fitted.by_order), len(fitted.weights)
    say(f"{counted(known, 'weight')} of {file.path}: {known - order} by name, {order} by shape and order")
    for left, what in ((fitted.missing, "starting afresh"), (fitted.unused, "left out of the file")):
        if left:
            say(f"{what}: {listed(left)}")
    return layer, fitted


def _afresh(array: Array, before: Shape | None, cut: Array | None) -> Array | None:
    """The fresh content of a head, without what is cut from the axes that have the same size; None if it can't be."""
    if before is None or cut is None:
        return array
    if len(before) != array.ndim:
        return None
    kept = [slice(None)] * array.ndim
    for axis, (now, then, left) in enumerate(zip(array.shape, before, cut.shape, strict=True)):
        if left != then and now != then:
            return None
        if left != then:
            kept[axis] = slice(left)
    return np.ascontiguousarray(array[tuple(kept)])


def heads_of_family(registry: Registry, task: str, family: str, options: FamilyOptions) -> set[str]:
    """The parameters whose shape depends on the number of classes."""
    try:
        more = registry.options(task, family, {**options.model_dump(), "num_classes": options.num_classes + 1})
    except ConfigError:
        return set()
    one, other = _shapes(registry, task, family, options), _shapes(registry, task, family, more)
    return {name for name, shape in one.items() if other.get(name) != shape}


def _new_head(name: str, heads: set[str], checkpoint: Checkpoint) -> bool:
    """Is it in a part of the network that has a head, and that the checkpoint, which isn't pruned, lacks as a whole?"""
    parts = name.split(".")[:-1]
    above = (".".join(parts[:count]) + "." for count in range(1, len(parts) + 1))
    new = (prefix for prefix in above if not any(known.startswith(prefix) for known in checkpoint.weights))
    return checkpoint.plan is None and any(head.startswith(prefix) for prefix in new for head in heads)


def _shapes(registry: Registry, task: str, family: str, options: FamilyOptions) -> dict[str, Shape]:
    layer = registry.build_model(task, family, options)
    return {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}


def _say_what_is_new(path: Path, new: list[str], checkpoint: Checkpoint, contents: Mapping[str, Any]) -> None:
    for names, what in ((new, "start afresh"), ([n for n in checkpoint.weights if n not in contents], "are left out")):
        if names:
            say(f"{len(names)} weights of {path} {what}: {listed(names)}")
