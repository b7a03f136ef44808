"""What may be cut from a model, and why the rest may not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paddleprune.api.loading import graph_of, graph_of_loaded, open_model
from paddleprune.console import say
from paddleprune.errors import ConfigError
from paddleprune.graph import Explanation
from paddleprune.graph import explain as describe
from paddleprune.registry import Registry


def explain(
    target: str | Path, *, model: str | None = None, options: Mapping[str, Any] | None = None, depth: bool = False
) -> Explanation:
    """List every group of a model: its size, the parameters that it touches, its share of the FLOPs, or why it stays.

    Args:
        target: a checkpoint folder; or, with `model`, a task's name.
        model: a family of the task; nothing needs to be trained.
        options: the family's options; a line says which defaults are taken for the others.
        depth: list the residual branches, too, which may go as a whole.

    Raises:
        ConfigError: the target is a task, and no family is given.
        UnknownNameError: nobody registered the task or family.
        CheckpointError: the folder isn't a checkpoint.
    """
    registry = Registry.discover()
    if model is None and options:
        raise ConfigError(f"{target} has its own options; leave `options` out, or give a task and a `model`")
    if model is None:
        if str(target) in registry.tasks() and not Path(target).exists():
            raise ConfigError(
                f"say which family of {target} to explain: `model`; `paddleprune families {target}` lists them"
            )
        return describe(graph_of_loaded(registry, open_model(registry, target), depth=depth))
    task = str(target)
    chosen = registry.options(task, model, options or {})
    assumed = {name: value for name, value in chosen if name not in (options or {})}
    if assumed:
        words = " ".join(f"{name}={_shown(value)}" for name, value in assumed.items())
        say(f"{model} with {words}, its defaults; give options that are to differ")
    return describe(graph_of(registry, registry.build_model(task, model, chosen), task, model, chosen, depth=depth))


def _shown(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
