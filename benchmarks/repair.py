"""A repair beside what else could be done to a cut network, at equal FLOPs and on the same samples.

Without training: the cut alone, its batch norms recalibrated, and repaired; units chosen by this project's criterion,
by filters' norms at one ratio for all groups, and by PaddleSlim. With `--epochs`: retrained from the cut and from the
repaired network. The last line is JSON; losses are shares of the dense metric.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn
from sides import uniform_sides
from trained import Opened, Trained, opened, parser_of, retrained, trained

from paddleprune.api.meter import Meter
from paddleprune.engines import Engine, open_engine
from paddleprune.graph.inputs import map_leaves
from paddleprune.measure.evaluation import Batches, eager_forward, evaluate
from paddleprune.pruning import Plan
from paddleprune.pruning.surgery import snapshot
from paddleprune.repair import Record, record, repair
from paddleprune.settings import REPAIRED_RATE
from paddleprune.solver import Ceiling, Costs, UnitPath, order_units
from paddleprune.training import save_checkpoint

_PROBE = 4
_NORMS = (nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D, nn.SyncBatchNorm)


def main() -> None:
    """Compare, print, and end with a line of JSON."""
    parser = parser_of(__doc__, "that a repair is made from")
    asked = parser.parse_args()
    found = {}
    for name in asked.networks:
        network = trained(name, asked.folder, asked.full)
        found[name] = _compare(network, opened(network, asked.samples), asked)
    print(json.dumps(found))


def _compare(network: Trained, work: Opened, asked: argparse.Namespace) -> dict[str, Any]:
    layer, metric = work.loaded.layer, work.evaluation.metric
    meter = Meter(layer, metric, work.evaluation.dataset, 64, "evaluate")
    dense, others_dense, started = meter.last, _values(work), time.perf_counter()
    seen = record(layer, work.samples)
    native = open_engine("native", layer, work.graph, "l1")
    costs = Costs(work.graph)
    order = order_units(layer, work.graph, seen, costs, Ceiling({}))
    ours = UnitPath(work.graph, order, costs, Ceiling({}))
    chosen = time.perf_counter() - started
    print(f"{network.name}: dense {metric.primary} {dense:.4f}, units ordered in {chosen:.1f} s")
    rows: dict[str, Any] = {}
    others = uniform_sides(work, costs)
    for share in asked.shares:
        ceiling = Ceiling({"flops": costs.dense["flops"] * (1 - share)})
        plan = ours.at_most(ceiling)
        row = {"dense": dense, "order_seconds": round(chosen, 1)} | _without_training(work, native, plan, seen, meter)
        row |= {f"dense_{name}": value for name, value in others_dense.items()}
        for name, (engine, path) in others.items():
            there = _without_training(work, engine, path.at_most(ceiling), seen, meter)
            row |= {f"{name}_cut": there["cut"], f"{name}_repaired": there["repaired"]}
        if asked.epochs:
            row |= _with_training(network, work, native, plan, seen, asked.epochs, asked.seeds)
        rows[f"{share:g}"] = row
        print(f"  -{share:.0%}: " + ", ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
    return rows


def _without_training(work: Opened, engine: Engine, plan: Plan, seen: Record, meter: Meter) -> dict[str, float]:
    layer, found = work.loaded.layer, {}
    restore = snapshot(layer, work.graph)
    probe = tuple(part[:_PROBE] for part in work.samples)
    cut = engine.cut(plan)
    try:
        engine.prune(plan, probe)
        found["flops"] = 1 - plan.after.flops / plan.before.flops
        found["cut"] = meter().metric
        kept = {name: tensor.numpy() for name, tensor in layer.state_dict().items()}
        _recalibrate(layer, seen)
        found["recalibrated"] = meter().metric
        layer.set_state_dict(kept)
        started = time.perf_counter()
        repair(layer, seen, cut)
        found["seconds"] = round(time.perf_counter() - started, 2)
        score = meter()
        found["repaired"], found["loss"], found["error"] = score.metric, score.loss, score.error or 0.0
        found |= {f"repaired_{name}": value for name, value in _values(work).items()}
    finally:
        restore(layer)
    return found


def _values(work: Opened) -> dict[str, float]:
    """Every other value of the metric than the primary one."""
    metric = work.evaluation.metric
    values = evaluate(eager_forward(work.loaded.layer), metric, Batches(work.evaluation.dataset, 64))
    return {name: value for name, value in values.items() if name != metric.primary}


def _recalibrate(layer: nn.Layer, seen: Record) -> None:
    """Batch norms take their statistics anew, from the same samples."""
    norms = [sub for sub in layer.sublayers() if isinstance(sub, _NORMS)]
    momenta = [norm._momentum for norm in norms]
    layer.eval()
    for number, batch in enumerate(seen.batches):
        for norm in norms:
            norm.train()
            norm._momentum = number / (number + 1)
        with paddle.no_grad():
            layer(*map_leaves(paddle.to_tensor, list(batch)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm._momentum = momentum
    layer.eval()


def _with_training(
    network: Trained, work: Opened, engine: Engine, plan: Plan, seen: Record, epochs: int, seeds: int
) -> dict[str, float]:
    """The metric after each epoch, from the cut and from the repaired network: means over seeds and their errors."""
    layer, found = work.loaded.layer, dict[str, float]()
    restore, cut = snapshot(layer, work.graph), engine.cut(plan)
    try:
        done = engine.prune(plan, tuple(part[:_PROBE] for part in work.samples))
        starts: Mapping[str, tuple[Callable[[], Any], float]] = {
            "cut": (lambda: None, 1.0),
            "repaired": (lambda: repair(layer, seen, cut, ridge=0.1), REPAIRED_RATE),
        }
        for name, (prepare, rate) in starts.items():
            prepare()
            with tempfile.TemporaryDirectory() as folder:
                save_checkpoint(Path(folder) / "start", layer, work.loaded.info, done)
                curves = [retrained(network, Path(folder), epochs, rate, seed) for seed in range(seeds)]
            for epoch in sorted({1, epochs}):
                values = [curve[epoch - 1] for curve in curves]
                found[f"{name}_epoch_{epoch}"] = float(np.mean(values))
                found[f"{name}_epoch_{epoch}_error"] = (
                    float(np.std(values, ddof=1) / len(values) ** 0.5) if seeds > 1 else 0.0
                )
    finally:
        restore(layer)
    return found


if __name__ == "__main__":
    main()
