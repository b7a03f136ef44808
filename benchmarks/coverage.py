"""How many of the filters of published networks can be removed: with the native graph, and with PaddleSlim?

Every family of every installed plugin, Paddle's own version of those that a plugin rewrote, and small networks whose
forwards write sizes as published ones do (`--styles`: those alone). Filters that feed an output stay by nature and
don't count; nor do those that a plugin protects on purpose. Random shares of all groups are then removed at once, and
the shrunk network must compute what the masked one does.

    python benchmarks/coverage.py [family ...] [--styles] [--no-paddleslim]
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from paddle import nn
from published import paddle_models, small_options
from styles import STYLES

from paddleprune.engines.slim import SlimEngine
from paddleprune.errors import PaddlePruneError
from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.pruning import protect_hard_coded
from paddleprune.registry import Registry
from paddleprune.testing import check_exact, settle
from paddleprune.testing.coverage import Coverage, coverage

_BLOCKS = 12


@dataclass(frozen=True)
class Network:
    """A layer, and the shapes of its inputs without the batch axis."""

    name: str
    layer: nn.Layer
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Result:
    """What was found: `slim` counts filters or says why there are none, `mismatch` says what a cut got wrong."""

    found: Coverage
    slim: int | str | None
    mismatch: str
    seconds: float


def networks(registry: Registry, chosen: Sequence[str]) -> Iterator[Network]:
    """The families of those names (all, if there are none), and what Paddle has under a rewritten one's name."""
    makers = paddle_models()
    for info in (info for task in registry.tasks() for info in registry.families(task).values()):
        if chosen and info.name not in chosen:
            continue
        options = small_options(registry, info.task, info.name)
        layer = registry.build_model(info.task, info.name, options)
        yield Network(info.name, layer, options.input_shapes())
        if info.name in makers and not type(layer).__module__.startswith("paddle."):
            yield Network(f"{info.name}, Paddle's own", makers[info.name](), options.input_shapes())
    for name, build in STYLES.items():
        if not chosen or name in chosen:
            yield Network(name, build(_BLOCKS), ((3, 32, 32),))


def measure(network: Network, paddleslim: bool) -> Result:
    """Find the groups, count their filters, and cut them at random; the seconds are those without PaddleSlim."""
    settle(network.layer, network.shapes)
    start = time.perf_counter()
    graph = protect_hard_coded(network.layer, build_graph(network.layer, [(1, *shape) for shape in network.shapes]))
    mismatch = _cut_at_random(network, graph)
    seconds = time.perf_counter() - start
    slim = _slim_filters(network.layer, graph) if paddleslim else None
    return Result(coverage(graph), slim, mismatch, seconds)


def _cut_at_random(network: Network, graph: ChannelGraph) -> str:
    generator = np.random.default_rng(0)
    removed: list[int] = []
    for group in graph.prunable:
        count = group.count(float(generator.uniform(0.1, 0.9)))
        removed += group.removable(generator.permutation(group.units).tolist())[:count]
    probe = [generator.standard_normal((2, *shape)).astype(np.float32) for shape in network.shapes]
    try:
        check_exact(network.layer, graph, removed, probe)
    except (AssertionError, PaddlePruneError) as error:
        return str(error)
    return ""


def _slim_filters(layer: nn.Layer, graph: ChannelGraph) -> int | str:
    """How many filters PaddleSlim can remove, and removes rightly; or why none."""
    try:
        with redirect_stderr(io.StringIO()):  # it says what it leaves
            engine = SlimEngine(layer, graph, "l1")
    except PaddlePruneError as error:
        return str(error)
    masters = {group.master for group in engine.groups}
    cut = {(m.parameter, m.axis) for c in engine._pruner.collections if c.master in masters for m in c.members}
    return sum(axis.units.size for axis in graph.axes if axis.role == "own" and (axis.parameter, axis.axis) in cut)


def show(name: str, result: Result) -> None:
    """Print a network's line, and why filters of it are missed."""
    found = result.found
    slim = str(result.slim) if isinstance(result.slim, int) else "-"
    exact = "no" if result.mismatch else "yes"
    print(f"{name:34}{found.filters:>8}{found.prunable:>9}{slim:>11}{exact:>7}{result.seconds:>9.1f}", flush=True)
    reasons = {**found.missed, "the cut": result.mismatch, "PaddleSlim": result.slim}
    for what, why in reasons.items():
        if isinstance(why, str) and why:
            print(f"    {what}: {why[:120]}", flush=True)


def main() -> None:
    """Print a line a network, and the totals as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="family", help="by default all")
    parser.add_argument("--no-paddleslim", action="store_true", help="count with the native graph alone")
    parser.add_argument("--styles", action="store_true", help="only the networks whose forwards write sizes")
    given = parser.parse_args()
    chosen = [*given.families, *(STYLES if given.styles else ())]
    paddle.seed(0)
    start = time.perf_counter()
    results = []
    print(f"{'network':34}{'filters':>8}{'native':>9}{'PaddleSlim':>11}{'exact':>7}{'seconds':>9}")
    for network in networks(Registry.discover(), chosen):
        results.append(measure(network, not given.no_paddleslim))
        show(network.name, results[-1])
    totals: dict[str, Any] = {
        "models": len(results),
        "filters": sum(result.found.filters for result in results),
        "prunable": sum(result.found.prunable for result in results),
        "mismatches": sum(bool(result.mismatch) for result in results),
        "seconds": round(time.perf_counter() - start),
    }
    if not given.no_paddleslim:
        totals["paddleslim"] = sum(result.slim for result in results if isinstance(result.slim, int))
    print(json.dumps(totals))


if __name__ == "__main__":
    main()
