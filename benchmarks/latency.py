"""Plans that are asked for a latency: is it met, and what do channels that cost nothing give?

For each network and each share of its latency: the plan in whole blocks, and one without them ("plain") of the same
measured latency. All models of a network are timed in turns in one process. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle

import paddleprune
from paddleprune.api.budgets import Priced, within
from paddleprune.api.paths import paths_for
from paddleprune.api.stopwatch import Stopwatch
from paddleprune.engines import open_engine
from paddleprune.pruning import Plan
from paddleprune.repair import record
from paddleprune.settings import PruneSettings
from paddleprune.solver import Ceiling, Path

NETWORKS = ("mobilenet_v2", "mobilenet_v3_large", "resnet18", "resnet50")
SHARES = (0.7, 0.5)
_SAMPLES = 16
_TRIES = 8


def main() -> None:
    """Plan, time, print, and end with a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), help=f"of {', '.join(NETWORKS)}")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of the dense latency")
    asked = parser.parse_args()
    print(json.dumps({name: _compare(name, asked.threads, asked.shares) for name in asked.networks}))


def _compare(name: str, threads: int, shares: Sequence[float]) -> dict[str, Any]:
    paddle.seed(0)
    layer = getattr(paddle.vision.models, name)()
    layer.eval()
    graph = paddleprune.trace(layer, (1, 3, 224, 224)).channels
    images = np.random.default_rng(0).standard_normal((_SAMPLES, 3, 224, 224)).astype("float32")
    settings = PruneSettings(latency=shares[0], threads=threads)
    engine = open_engine("native", layer, graph, "l1")
    priced, seen = Priced.of(layer, engine, settings), record(layer, (images,))
    assert priced.watch is not None
    path = paths_for(engine, layer, graph, priced.costs, settings, seen=seen)[0]
    rows: dict[str, Any] = {}
    for share in shares:
        plan = within(path, graph, priced, settings.model_copy(update={"latency": share}))
        planned = plan.latency
        assert planned is not None
        plain = _equal(path, priced, priced.watch, plan)
        dense, ours, theirs = priced.watch.measure([(), plan.removed(graph), plain.removed(graph)])
        flops, others = (found.after.flops / found.before.flops for found in (plan, plain))
        rows[f"{share:g}"] = {
            "dense_ms": round(dense, 3),
            "got": round(ours / dense, 4),
            "planned": round(planned.pruned / planned.dense, 4),
            "foretold": round(planned.foretold / planned.dense, 4),
            "flops": round(flops, 4),
            "realised": round((1 - ours / dense) / (1 - flops), 3),
            "plain_got": round(theirs / dense, 4),
            "plain_flops": round(others, 4),
            "flops_kept_over_plain": round(flops / others - 1, 4),
        }
        print(name, share, rows[f"{share:g}"], flush=True)
    return rows


def _equal(path: Path, priced: Priced, watch: Stopwatch, plan: Plan) -> Plan:
    """The plan of the same path, without whole blocks, that takes as long: found by halving, on real runs."""
    low, high = 0.0, 1.0
    for _ in range(_TRIES):
        middle = (low + high) / 2
        dense = priced.costs.dense["latency"]
        tried = path.at_most(Ceiling({"latency": middle * dense}))
        ours, theirs = watch.measure([_gone(plan, watch), _gone(tried, watch)])
        low, high = (middle, high) if theirs <= ours else (low, middle)
    return path.at_most(Ceiling({"latency": low * priced.costs.dense["latency"]}))


def _gone(plan: Plan, watch: Stopwatch) -> list[int]:
    return plan.removed(watch.graph)


if __name__ == "__main__":
    main()
