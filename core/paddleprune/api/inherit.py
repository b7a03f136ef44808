"""What a training that starts from a checkpoint takes over from it, unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from paddleprune.console import say
from paddleprune.training import CheckpointInfo


def inherited(
    info: CheckpointInfo | None, part: Literal["loss", "metric"], said: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The options of the loss or the metric: those of the checkpoint, and over them what the user said.

    Args:
        info: of the checkpoint that training starts from, if it does.
        part: which options.
        said: name -> value, as the user said it.
    """
    before: dict[str, Any] = {} if info is None else getattr(info, part)
    taken = {name: value for name, value in before.items() if name not in (said or {})}
    if taken:
        say(f"{part} as the checkpoint has it: {', '.join(f'{name}={value}' for name, value in taken.items())}")
    return {**before, **(said or {})}


def say_other_transforms(info: CheckpointInfo | None, transforms: Sequence[Mapping[str, Any]]) -> None:
    """Say where evaluation prepares images otherwise than it did for the starting checkpoint: metrics then differ."""
    if info is None or not info.transforms or list(info.transforms) == list(transforms):
        return
    then, now = (", ".join(str(step.get("name", step)) for step in steps) for steps in (info.transforms, transforms))
    parameters = " with other parameters" if then == now else ""
    say(f"evaluation transforms: {now}{parameters}; the starting checkpoint had {then}, so its metric isn't comparable")
