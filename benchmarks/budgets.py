"""What is left of a network after a cut to a budget: units chosen in several ways, cut and repaired alike.

Each cell is a trained network and a share of its FLOPs that goes. In each, this project's plan stands beside the plan
of one tolerance for all groups, uniform ratios, PaddleSlim's and, where it is installed, Torch-Pruning's: at most as
many FLOPs, the same samples for the repair, the same evaluation samples, errors of differences sample by sample.
This project's plan is the one that the guide tells to use: for classifiers and segmenters that of the samples alone;
for detectors, with a table, the better of two, measured on the training samples that the table is from. No evaluation
sample has a part in any choice. With `--epochs` ours and the best other are retrained. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sides import Side, uniform_sides
from torch_side import torch_sides
from trained import Opened, Trained, opened, parser_of, retrained, trained

import paddleprune
from paddleprune.api.budgets import better
from paddleprune.api.cutting import Cutter
from paddleprune.api.meter import Meter
from paddleprune.api.paths import paths_for
from paddleprune.engines import open_engine
from paddleprune.pruning import Plan
from paddleprune.repair import RIDGE, Record, heads_of, record
from paddleprune.settings import REPAIRED_RATE, PruneSettings
from paddleprune.solver import Ceiling, Costs, TolerancePath
from paddleprune.training import save_checkpoint

OWN = ("obs", "table")
"""The sides that are this project's."""
_PROBE = 4
_BATCH = 16
"""Samples a batch: where a metric has no scores of samples, errors come from those of batches."""
_TRAINING_RIDGE = 0.1


def main() -> None:
    """Compare, print, and end with a line of JSON."""
    parser = parser_of(__doc__, "that repairs are made and tables measured from")
    parser.add_argument("--tables", type=Path, default=Path("output/bench-budgets"), help="keeps their tables")
    asked = parser.parse_args()
    found = {}
    for name in asked.networks:
        network = trained(name, asked.folder, asked.full)
        found[name] = _Bench(network, opened(network, asked.samples), asked).cells()
    verdicts = [_verdict(cell) for cells in found.values() for cell in cells.values()]
    print(
        json.dumps(
            {
                "cells": len(verdicts),
                "ahead_or_equal": sum(ahead >= -error for ahead, error in verdicts),
                "behind_by_two_errors": sum(ahead < -2 * error for ahead, error in verdicts),
                "results": found,
            }
        )
    )


def _verdict(cell: Mapping[str, Any]) -> tuple[float, float]:
    """How far ours is ahead of the best other side, and the standard error of that."""
    best = cell["sides"][cell["best_other"]]
    return best["ahead"], best["ahead_error"]


@dataclass(frozen=True)
class _Row:
    """A side's plan of one cell."""

    name: str
    plan: Plan
    cutter: Cutter


class _Bench:
    """One network, and all sides of it."""

    def __init__(self, network: Trained, work: Opened, asked: argparse.Namespace) -> None:
        self._network, self._work, self._asked = network, work, asked
        layer, graph = work.loaded.layer, work.graph
        self._costs, self._seen = Costs(graph), record(layer, work.samples)
        table = paddleprune.analyze(
            network.checkpoint, eval_dataset=work.drawn, save_file=asked.tables / f"{network.name}.json"
        )
        engine = open_engine("native", layer, graph, "l1")
        by_table, by_samples = paths_for(
            engine, layer, graph, self._costs, PruneSettings(flops=0.5), seen=self._seen, table=table
        )
        self._sides: dict[str, Side] = {
            "obs": (engine, by_samples),
            "table": (engine, by_table),
            "tolerance": (engine, TolerancePath(engine, table, self._costs)),
            **uniform_sides(work, self._costs),
            **torch_sides(work, self._costs),
        }
        self._cutters = {name: self._cutter(name, self._seen, RIDGE) for name in self._sides}
        self._dense = self._meter()

    def cells(self) -> dict[str, Any]:
        """Share of the FLOPs that goes -> what each side leaves."""
        print(f"{self._network.name}: dense {self._work.evaluation.metric.primary} {self._dense.last:.4f}")
        return {f"{share:g}": self._cell(share) for share in self._asked.shares}

    def _cell(self, share: float) -> dict[str, Any]:
        ceiling = Ceiling({"flops": self._costs.dense["flops"] * (1 - share)})
        own, rows = self._own(ceiling), self._rows(ceiling)
        sides: dict[str, Any] = {}
        meter, ours = self._dense, 0.0
        for row in sorted(rows, key=lambda row: row.name != own):
            try:
                done = row.cutter.cut(row.plan)
                found = {"flops": 1 - row.plan.after.flops / row.plan.before.flops, "cut": self._dense().metric}
                row.cutter.repair(done)
                score = meter()
                found["repaired"] = score.metric
                if row.name == own:
                    found |= {"loss": score.loss, "error": score.error or 0.0}
                    meter, ours = self._meter(), score.metric  # the others are compared with ours, sample by sample
                else:
                    found |= {"ahead": ours - score.metric, "ahead_error": (score.error or 0.0) * abs(ours)}
            finally:
                row.cutter.undo()
            sides[row.name] = found
        best = max((name for name in sides if name not in OWN), key=lambda name: sides[name]["repaired"])
        cell: dict[str, Any] = {"own": own, "best_other": best, "sides": sides}
        if self._asked.epochs:
            cell["retrained"] = {row.name: self._retrained(row) for row in rows if row.name in (own, best)}
        self._print(share, cell)
        return cell

    def _own(self, ceiling: Ceiling) -> str:
        """The side that the guide tells to use: known beforehand, or measured on training samples."""
        if self._network.task != "detection":
            return "obs"
        paths = {name: self._sides[name][1] for name in OWN}
        measure = Meter(self._work.loaded.layer, self._work.evaluation.metric, self._work.drawn, _BATCH, "measure")
        chosen, _ = better(self._cutters["obs"], list(paths.values()), self._costs, ceiling, measure)
        return next(name for name, path in paths.items() if path is chosen)

    def _rows(self, ceiling: Ceiling) -> list[_Row]:
        found = []
        for name, (_, path) in self._sides.items():
            plan = path.at_most(ceiling)
            if ceiling.met(self._costs.of(plan)):
                found.append(_Row(name, plan, self._cutters[name]))
            else:
                print(f"  {name} ends at {plan.after.flops / plan.before.flops:.1%} of the FLOPs")
        return found

    def _retrained(self, row: _Row) -> dict[str, float]:
        """The metric after the last epoch, from a network repaired as training does: its mean, and the error of it."""
        layer, cutter = self._work.loaded.layer, self._cutter(row.name, self._seen, _TRAINING_RIDGE, training=True)
        epochs, seeds = self._asked.epochs, self._asked.seeds
        try:
            done = cutter.repair(cutter.cut(row.plan))
            with tempfile.TemporaryDirectory() as folder:
                save_checkpoint(Path(folder) / "start", layer, self._work.loaded.info, done)
                values = [
                    retrained(self._network, Path(folder), epochs, REPAIRED_RATE, seed)[-1] for seed in range(seeds)
                ]
        finally:
            cutter.undo()
        error = float(np.std(values, ddof=1) / len(values) ** 0.5) if seeds > 1 else 0.0
        return {"metric": float(np.mean(values)), "error": error}

    def _cutter(self, name: str, seen: Record, ridge: float, training: bool = False) -> Cutter:
        layer, graph, probe = self._work.loaded.layer, self._work.graph, [part[:_PROBE] for part in self._work.samples]
        leave = heads_of(graph) if training else frozenset[str]()
        return Cutter(layer, graph, self._sides[name][0], seen, ridge, probe, leave)

    def _meter(self) -> Meter:
        evaluation = self._work.evaluation
        return Meter(self._work.loaded.layer, evaluation.metric, evaluation.dataset, _BATCH, "evaluate")

    def _print(self, share: float, cell: Mapping[str, Any]) -> None:
        print(f"  -{share:.0%}: ours is {cell['own']}, the best other {cell['best_other']}")
        for name, row in cell["sides"].items():
            beside = (
                f"loss {row['loss']:.4f} ± {row['error']:.4f}"
                if name == cell["own"]
                else f"ours ahead by {row['ahead']:.4f} ± {row['ahead_error']:.4f}"
            )
            gone = f"FLOPs -{row['flops']:.1%}, cut {row['cut']:.4f}, repaired {row['repaired']:.4f}"
            print(f"    {name:16} {gone}, {beside}", flush=True)
        for name, row in cell.get("retrained", {}).items():
            print(f"    {name:16} retrained {row['metric']:.4f} ± {row['error']:.4f}", flush=True)


if __name__ == "__main__":
    main()
