"""One table out of the parts that several machines measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paddleprune.errors import ConfigError
from paddleprune.files import user_path
from paddleprune.sensitivity import SensitivityTable
from paddleprune.sensitivity.measuring.kept import writing_table
from paddleprune.sensitivity.table.merged import merged


def merge(files: Sequence[str | Path], *, save_file: str | Path, gaps: bool = False) -> SensitivityTable:
    """Join the parts that `analyze(…, shard="1/8")` and its sisters measured; the same file as without shards.

    Args:
        files: the parts, in any order.
        save_file: where the whole table goes.
        gaps: whether groups may be missing; plans leave them whole.

    Raises:
        ConfigError: there are no files.
        TableError: a file isn't a table; the parts belong to different things, overlap, or leave a gap.
    """
    places = [user_path(file) for file in files]
    if not places:
        raise ConfigError("say which parts to merge")
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise ConfigError(f"{twice} is given twice: give each part once")
    whole = merged({str(place): SensitivityTable.load(place) for place in places}, gaps=gaps)
    with writing_table(user_path(save_file)):
        whole.save(user_path(save_file))
    return whole
