"""What checkpoints are called that are shown side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paddleprune.errors import ConfigError


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """The last parts of the paths that tell them apart, without `best_model` where that says nothing.

    Raises:
        ConfigError: the same one twice.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise ConfigError(f"the same checkpoint is there twice: {', '.join(map(str, paths))}")
    whole = [path.resolve().parts for path in paths]
    trimmed = [parts[:-1] for parts in whole]
    parts = trimmed if len({p[-1] for p in whole}) == 1 else whole
    depth = next(d for d in range(1, 99) if len({p[-d:] for p in parts}) == len(parts))
    return ["/".join(p[-depth:]) for p in parts]
