"""The teacher of a training: which of its layers' channels the network that learns still has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paddleprune.api.loading import graph_of_loaded, open_model
from paddleprune.console import counted, say
from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array
from paddleprune.paddle_private.widths import BATCH_NORMS
from paddleprune.pruning import Plan
from paddleprune.registry import Registry
from paddleprune.sensitivity import model_digest
from paddleprune.settings import TrainSettings
from paddleprune.training import LoadedModel, read_info
from paddleprune.training.teacher import Teacher, squared_error


def check_teacher(teacher: Path, task: str, labels: Sequence[str]) -> None:
    """Refuse a teacher that does something else, before anything is built.

    Raises:
        CheckpointError: it isn't a checkpoint.
        ConfigError: it is of another task, or knows other classes.
    """
    info = read_info(teacher)
    if info.task != task:
        raise ConfigError(f"the teacher {teacher} is a checkpoint of the task {info.task!r}, not of {task!r}")
    if list(info.labels) != list(labels):
        raise ConfigError(
            f"the teacher {teacher} knows other classes than the training data, or numbers them otherwise"
        )


def open_teacher(registry: Registry, teacher: Path, plan: Plan | None, settings: TrainSettings) -> Teacher:
    """Load a checkpoint as the teacher of a network.

    Args:
        registry: knows its family.
        teacher: the checkpoint.
        plan: how the network that learns was cut, if it was.
        settings: what the teacher's outputs and its layers count beside the loss.

    Raises:
        CheckpointError: it can't be read.
        ConfigError: its layers are to teach, but the network wasn't cut from it.
    """
    loaded = open_model(registry, teacher)
    term = registry.build_distillation(loaded.info.task, loaded.options) if settings.distill else None
    channels: dict[str, Array | None] = {}
    if settings.distill_layers:
        if plan is None or plan.model != model_digest(loaded.layer):
            raise ConfigError(
                f"the layers of {teacher} can't teach, since the model wasn't cut from it: leave distill_layers out"
            )
        channels = _channels(registry, loaded, plan)
    what = ["the outputs"] * bool(settings.distill) + [counted(len(channels), "layer")] * bool(channels)
    say(f"learning {' and '.join(what)} of {teacher}, too")
    return Teacher(loaded.layer, term or squared_error, settings.distill, settings.distill_layers, channels)


def _channels(registry: Registry, loaded: LoadedModel, plan: Plan) -> dict[str, Array | None]:
    """The dense network's norms -> which of their channels the cut one still has; None for all of them."""
    norms = [name for name, layer in loaded.layer.named_sublayers() if isinstance(layer, BATCH_NORMS)]
    graph = graph_of_loaded(registry, loaded, depth=bool(plan.branches))
    keeps = graph.keeps(plan.removed(graph))
    return {name: keeps.get(f"{name}.weight", {}).get(0) for name in norms if name not in plan.emptied}
