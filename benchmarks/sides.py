"""Other ways to choose what goes: each an engine that cuts, and its plans in a row."""

from __future__ import annotations

from typing import TypeAlias

from trained import Opened

from paddleprune.engines import Engine, open_engine
from paddleprune.errors import PaddlePruneError
from paddleprune.solver import Costs, Path, UniformPath

Side: TypeAlias = tuple[Engine, Path]


def uniform_sides(work: Opened, costs: Costs) -> dict[str, Side]:
    """One ratio for all groups: by this project's criteria, and by PaddleSlim's. What can't be had is said."""
    found: dict[str, Side] = {}
    for name, engine_name, criterion in (
        ("l1", "native", "l1"),
        ("fpgm", "native", "fpgm"),
        ("paddleslim_l1", "paddleslim", "l1"),
        ("paddleslim_fpgm", "paddleslim", "fpgm"),
    ):
        try:
            engine = open_engine(engine_name, work.loaded.layer, work.graph, criterion)  # type: ignore[arg-type]
        except PaddlePruneError as error:
            print(f"  {name}: {error}")
            continue
        found[name] = (engine, UniformPath(engine, costs))
    return found
