"""How long it takes to find a plan for a network of many groups, and what exchange gains over a greedy choice.

A residual network of as many blocks as asked for, each with a group of its own besides the trunk's. Losses come from a
made-up table, and from samples. The last line is JSON: seconds of this process's CPU time, and what is expected to be
lost, for a few budgets.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import paddle
from paddle import nn

import paddleprune
from paddleprune.engines import NativeEngine
from paddleprune.repair import record
from paddleprune.sensitivity import Identity, Point, SensitivityTable
from paddleprune.solver import Ceiling, Costs, Order, UnitPath, order_by_table, order_units

_RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9)
_SHARES = (0.8, 0.5, 0.3, 0.15)
T = TypeVar("T")


class Residual(nn.Layer):
    """Blocks of two convolutions, of random widths."""

    def __init__(self, blocks: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, 32, 3, padding=1)
        self.blocks = nn.LayerList()
        for width in rng.integers(16, 64, blocks).tolist():
            self.blocks.append(
                nn.Sequential(
                    nn.Conv2D(32, width, 3, padding=1), nn.ReLU(), nn.Conv2D(width, 32, 1), nn.BatchNorm2D(32)
                )
            )
        self.head = nn.Conv2D(32, 4, 1)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        for block in self.blocks:
            x = x + 0.1 * block(x)
        return self.head(x)


def main() -> None:
    """Measure, print, and end with a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=500)
    parser.add_argument("--samples", type=int, default=32, help="that the order of units is made from; 0 leaves it out")
    asked = parser.parse_args()
    paddle.seed(0)
    rng = np.random.default_rng(0)
    layer = Residual(asked.groups - 1, rng)
    layer.eval()
    graph = paddleprune.trace(layer, (1, 3, 8, 8)).channels
    engine, costs = NativeEngine(layer, graph, "l1"), Costs(graph)
    found: dict[str, Any] = {"groups": len(engine.groups), "units": sum(group.size for group in engine.groups)}
    table = _table(engine, rng)
    for names in (("flops",), ("flops", "params")):
        counted = Ceiling(dict.fromkeys(names, 0.0))
        seconds, order = _timed(lambda counted=counted: order_by_table(engine.groups, table, costs, counted))
        found[f"table, {'+'.join(names)}"] = {
            "order": seconds,
            **_plans(UnitPath(graph, order, costs, counted), order, costs, names),
        }
    if asked.samples:
        seen = record(layer, (rng.standard_normal((asked.samples, 3, 8, 8)).astype("float32"),))
        seconds, order = _timed(lambda: order_units(layer, graph, seen, costs, Ceiling({"flops": 0.0})))
        found["samples, flops"] = {
            "order": seconds,
            **_plans(UnitPath(graph, order, costs, Ceiling({})), order, costs, ("flops",)),
        }
    for name, value in found.items():
        print(f"{name}: {value}")
    print(json.dumps(found))


def _table(engine: NativeEngine, rng: np.random.Generator) -> SensitivityTable:
    """Losses that rise with the ratio: some at once, others late."""
    groups = {}
    for group in engine.groups:
        most, power = rng.uniform(0.005, 0.1), rng.uniform(0.5, 3)
        groups[group.name] = tuple(Point(ratio=r, metric=0.5, loss=most * r**power) for r in _RATIOS)
    identity = Identity(model="", data="", samples=1, metric="m", higher_is_better=True, criterion="l1")
    return SensitivityTable(identity=identity, baseline=0.9, groups=groups)


def _plans(path: UnitPath, order: Order, costs: Costs, names: tuple[Any, ...]) -> dict[str, Any]:
    """Seconds of the first plan and of one more, and for some budgets what is lost: greedily, and by the plan."""
    ceilings = [Ceiling({name: share * costs.dense[name] for name in names}) for share in _SHARES]
    first, _ = _timed(lambda: path.at_most(ceilings[0]))
    again, _ = _timed(lambda: path.at_most(ceilings[1]))
    losses = {}
    for share, ceiling in zip(_SHARES, ceilings, strict=True):
        greedy = sum(order.losses[: order.until(costs, ceiling)])
        losses[f"{share:g}"] = [round(greedy, 4), round(path.lost(path.at_most(ceiling)), 4)]
    return {"first plan": first, "another": again, "lost, greedily and by the plan": losses}


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.process_time()
    found = work()
    return round(time.process_time() - started, 2), found


if __name__ == "__main__":
    main()
