"""From a checkpoint folder to a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddle import nn

from paddleprune.console import listed
from paddleprune.errors import CheckpointError
from paddleprune.pruning.emptied import goes_with
from paddleprune.pruning.plan import Plan
from paddleprune.pruning.surgery import resize
from paddleprune.specs import FamilyOptions
from paddleprune.training.checkpoint import Checkpoint, CheckpointInfo, read_checkpoint
from paddleprune.training.weights import misfits, set_weights

if TYPE_CHECKING:
    from paddleprune.registry import Registry


@dataclass(frozen=True)
class LoadedModel:
    """A model out of a checkpoint; `layer` is in training mode, as freshly built ones are."""

    layer: nn.Layer
    info: CheckpointInfo
    options: FamilyOptions
    plan: Plan | None


def load_model(folder: Path, registry: Registry) -> LoadedModel:
    """Build the checkpoint's family and give it the checkpoint's weights, pruned or not.

    Raises:
        CheckpointError: the checkpoint isn't whole or doesn't fit its family.
        UnknownNameError: no plugin registers its task or family.
    """
    checkpoint = read_checkpoint(folder)
    info = checkpoint.info
    options = registry.options(info.task, info.family, info.options)
    layer = registry.build_model(info.task, info.family, options)
    restore_weights(layer, checkpoint)
    return LoadedModel(layer, info, options, checkpoint.plan)


def restore_weights(layer: nn.Layer, checkpoint: Checkpoint) -> None:
    """Make a layer of the checkpoint's family exactly what was saved, shrinking it if the checkpoint is pruned.

    Raises:
        CheckpointError: names or shapes don't fit.
    """
    _check_names(layer, checkpoint)
    if checkpoint.plan is not None:
        shapes = {name: array.shape for name, array in checkpoint.weights.items()}
        plan = checkpoint.plan
        resize(layer, shapes, plan.attributes, plan.contents(), plan.emptied)
    wrong = misfits(layer, checkpoint.weights)
    if wrong:
        raise CheckpointError(
            f"{_shapes(wrong[0], layer, checkpoint)} and no plan says that it is pruned; "
            "give the options that the checkpoint was trained with"
        )
    set_weights(layer, checkpoint.weights)


def _shapes(name: str, layer: nn.Layer, checkpoint: Checkpoint) -> str:
    ours, theirs = list(layer.state_dict()[name].shape), list(checkpoint.weights[name].shape)
    return f"{name!r} of {checkpoint.folder} has shape {theirs}, the model's {ours}"


def _check_names(layer: nn.Layer, checkpoint: Checkpoint) -> None:
    gone = checkpoint.plan.emptied if checkpoint.plan else {}
    names = [name for name in layer.state_dict() if not goes_with(name, gone)]
    missing = [name for name in names if name not in checkpoint.weights]
    unexpected = [name for name in checkpoint.weights if name not in names]
    if missing or unexpected:
        first = listed([repr(name) for name in missing or unexpected])
        what = f"lacks {first}" if missing else f"has {first}, which the model lacks"
        raise CheckpointError(
            f"{checkpoint.folder} {what}; it was saved from another version of {checkpoint.info.family!r}"
        )
