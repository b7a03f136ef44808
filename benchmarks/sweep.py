"""How much faster is the sweep than PaddleSlim's own `pruner.sensitive()`, and is its table the same?

In one process, on the same network, weights, decoded images and threads, one after the other:

- PaddleSlim: `sensitive()` of a few convolutions on a few of the images; its seconds per entry and image, times all
  entries and images. That share is printed.
- exact: every entry of the table, from tracing the network on.
- adaptive: what the plan for a tolerance of 0.05 needs, from tracing the network on.
- repair: half of the FLOPs cut without a table. Recording the dense network, putting the units in order and refitting,
  each by itself, from the same images.

The peak of memory is that of processes of their own: one that evaluates the network eagerly, one that sweeps it.

    python benchmarks/sweep.py [family ...] [--images 128] [--every N: only each Nth group; 4 for ResNet50 and VGG16]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))  # or eager Paddle uses one

import numpy as np
import paddle
from clock import Clock, gemm_peak, multiply_adds
from digits import SIDE, Digits, network
from paddle import nn

from paddleprune.api.measuring import measure_with
from paddleprune.engines import open_engine
from paddleprune.engines.native import NativeEngine
from paddleprune.engines.paddleslim import SlimPruner
from paddleprune.graph import ChannelGraph, random_inputs
from paddleprune.measure.evaluation import Batches, eager_forward, evaluate
from paddleprune.pruning.surgery import snapshot
from paddleprune.repair import record, repair
from paddleprune.sensitivity import Identity, Question, SensitivityTable, sweep
from paddleprune.settings import RATIOS
from paddleprune.solver import Ceiling, Costs, UnitPath, order_units
from paddleprune_classification.config import ClassificationMetric
from paddleprune_classification.metrics import TopK

FAMILIES = {"mobilenet_v2": 1, "shufflenet_v2_x1_0": 1, "resnet50": 4, "vgg16": 4}
"""Family -> one group in so many is swept: those of large networks are alike, and all of them take an hour."""
TOLERANCE = 0.05
BATCH = 16
SLIM_GROUPS = 3


@dataclass(frozen=True)
class Swept:
    """A sweep: its table, its seconds, and where they went."""

    table: SensitivityTable
    seconds: float
    clock: Clock


@dataclass(frozen=True)
class Slim:
    """PaddleSlim's side: what was timed, and how far its metrics are from the exact table's method."""

    seconds_per_entry_and_image: float
    difference: float
    timed: str


def sweep_network(layer: nn.Layer, graph: ChannelGraph, data: Digits, question: Question, every: int) -> Swept:
    """The product's sweep, from tracing on; the images have been decoded."""
    batches = Batches(data, 64)
    batches.digest()
    metric = TopK(ClassificationMetric(), data.labels)
    identity = Identity(
        model="", data="", samples=len(data), metric=metric.primary, higher_is_better=True, criterion="l1"
    )
    start = time.perf_counter()
    with Clock() as clock:
        engine = open_engine("native", layer, graph, "l1")
        measurer = measure_with(engine, metric, batches, question)
        table = sweep(engine.groups[::every], measurer, identity, question=question)
    return Swept(table, time.perf_counter() - start, clock)


def repair_network(layer: nn.Layer, graph: ChannelGraph, data: Digits) -> dict[str, float]:
    """Seconds of each step of a cut that takes half of the FLOPs and is repaired; the network is left as it was."""
    seconds, start = dict[str, float](), time.perf_counter()

    def passed(step: str) -> None:
        nonlocal start
        now = time.perf_counter()
        seconds[step], start = round(now - start, 1), now

    images = np.stack([data[number][0][0] for number in range(len(data))])
    start = time.perf_counter()
    seen = record(layer, (images,))
    passed("record")
    costs = Costs(graph)
    path = UnitPath(graph, order_units(layer, graph, seen, costs, Ceiling({})), costs, Ceiling({}))
    plan = path.at_most(Ceiling({"flops": costs.dense["flops"] / 2}))
    passed("order")
    engine, restore = open_engine("native", layer, graph, "l1"), snapshot(layer, graph)
    cut = engine.cut(plan)
    engine.prune(plan, (images[:2],))
    passed("cut")
    repair(layer, seen, cut)
    passed("refit")
    restore(layer)
    return seconds


def paddleslim(layer: nn.Layer, graph: ChannelGraph, data: Digits) -> Slim:
    """Time `sensitive()` on some convolutions, and compare its metrics with those of the compiled network."""
    pruner = SlimPruner(layer, random_inputs(graph.inputs), "l1")
    single = {
        g.name
        for g in graph.prunable
        if sum(a.role == "own" and "weight" in a.parameter for a in graph.axes_of[g.name]) == 1
    }
    masters = [c.master for c in pruner.collections if c.master.removesuffix(".weight") in single]
    chosen = masters[:: max(1, len(masters) // SLIM_GROUPS)][:SLIM_GROUPS]
    batches, metric = Batches(data, BATCH), TopK(ClassificationMetric(), data.labels)
    few = [batches.take(0, BATCH)]
    seconds, scores = [], []

    def timed() -> float:
        start = time.perf_counter()
        scores.append(evaluate(eager_forward(layer), metric, few)["acc1"])
        seconds.append(time.perf_counter() - start)
        return scores[-1]

    timed()  # a first run allocates
    start, skipped = time.perf_counter(), len(seconds)
    with tempfile.TemporaryDirectory() as folder:
        theirs = [pruner._slim_of[master].master_name for master in chosen]
        pruner._pruner.sensitive(timed, f"{folder}/sensitivities", theirs)
    each = (time.perf_counter() - start) / (len(seconds) - skipped)
    engine = NativeEngine(layer, graph, "l1")
    evaluator, worst = engine.evaluator(batches), 0.0
    found = iter(scores[skipped + 1 :])  # behind the baseline
    for master in chosen:
        name = master.removesuffix(".weight")
        shares: list[Mapping[str, float]] = [{name: ratio} for ratio in RATIOS]
        with evaluator.open([name]) as stage:
            for outputs in stage(few[0][0], shares):
                metric.reset()
                metric.update(outputs, few[0][1])
                worst = max(worst, abs(metric.accumulate()[0] - next(found)))
    share = f"{len(chosen)} of {len(masters)} convolutions, {BATCH} of {len(data)} images"
    return Slim(each / BATCH, worst * BATCH / len(data), share)


def compare(family: str, images: int, every: int) -> dict[str, Any]:
    """Both sides of one family; prints its rows."""
    layer, graph = network(family)
    data = Digits(images).answered_by(layer)
    slim = paddleslim(layer, graph, data)
    exact = sweep_network(layer, graph, data, Question(), every)
    adaptive = sweep_network(layer, graph, data, Question((TOLERANCE,)), every)
    entries = sum(map(len, exact.table.groups.values()))
    repaired = repair_network(layer, graph, data)
    theirs = slim.seconds_per_entry_and_image * entries * images
    same = exact.table.ratios_for(TOLERANCE) == adaptive.table.ratios_for(TOLERANCE)
    swept_work = multiply_adds(layer, graph, [graph[name] for name in exact.table.groups])
    rate = 2 * swept_work * images * len(RATIOS) / exact.clock.seconds["suffixes"]
    of_all = swept_work / multiply_adds(layer, graph, graph.prunable)
    share = (repaired["record"] + repaired["refit"]) / (exact.seconds / of_all)
    peak = gemm_peak()
    print(f"{family}: {len(exact.table.groups)} groups, {entries} entries, {images} images of {SIDE}x{SIDE}")
    print(f"  PaddleSlim  {theirs:8.1f} s  (timed: {slim.timed})")
    for name, swept in (("exact", exact), ("adaptive", adaptive)):
        print(
            f"  {name:10}  {swept.seconds:8.1f} s  {theirs / swept.seconds:5.1f}x  {swept.clock.shares(swept.seconds)}"
        )
    print(f"  repair {repaired}: record and refit take {share:.1%} of the exact sweep of all groups")
    if of_all < 1:
        print(f"  (that sweep's time is an estimate: {of_all:.0%} of its work was done)")
    print(f"  the suffixes reach {rate / 1e9:.0f} GFLOP/s, {rate / peak:.0%} of the GEMM peak of {peak / 1e9:.0f}")
    print(f"  the plan for {TOLERANCE} is {'the same' if same else 'ANOTHER ONE'}", flush=True)
    return {
        "exact": round(theirs / exact.seconds, 1),
        "adaptive": round(theirs / adaptive.seconds, 1),
        "repair_share": round(share, 3),
        "max_metric_difference": slim.difference,
        "same_plan": same,
        "peak_rss_ratio": round(_peak("sweep", family) / _peak("plain", family), 2),
    }


def _peak(what: str, family: str) -> int:
    command = [sys.executable, str(Path(__file__)), family, "--peak", what]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def peak(what: str, family: str) -> int:
    """Kilobytes that this process takes at most, for a plain evaluation or for a sweep of a few groups."""
    paddle.seed(0)
    layer, graph = network(family, fitted=False)
    data = Digits(2 * BATCH)
    batches, metric = Batches(data, BATCH), TopK(ClassificationMetric(), data.labels)
    batches.digest()
    if what == "plain":
        evaluate(eager_forward(layer), metric, batches)
    else:
        engine = open_engine("native", layer, graph, "l1")
        groups = engine.groups[:4]  # the borders of early groups are the largest
        work: dict[str, Any] = {group.name: {0.5: None} for group in groups}
        list(measure_with(engine, metric, batches, Question()).measure(work, 1.0))
    status = Path("/proc/self/status").read_text()  # ru_maxrss would be at least what the parent took at the start
    return int(status.partition("VmHWM:")[2].split()[0])


def main(arguments: Sequence[str]) -> None:
    """Print a few rows a family, and all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("families", nargs="*", default=list(FAMILIES))
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--every", type=int, help="sweep one group in so many")
    parser.add_argument("--peak", choices=("plain", "sweep"), help="only print the peak of memory, in kB")
    given = parser.parse_args(arguments)
    logging.getLogger().setLevel(logging.ERROR)
    if given.peak:
        print(peak(given.peak, given.families[0]))
        return
    every = {family: given.every or FAMILIES.get(family, 1) for family in given.families}
    print(json.dumps({family: compare(family, given.images, step) for family, step in every.items()}))


if __name__ == "__main__":
    np.random.seed(0)
    main(sys.argv[1:])
