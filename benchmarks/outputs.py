"""What it saves that a segmenter's best classes are found inside of the compiled network.

DeepLab v3+ on MobileNetV2 with 19 classes, swept on a few groups from its scores and from what the metric's reduction
makes of them; prints the time, the share of each stage and the bytes that leave the network for an image and entry.

    python benchmarks/outputs.py [--side 256] [--images 32] [--every 8]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))  # or eager Paddle uses one

import numpy as np
import paddle
from clock import Clock

from paddleprune.api.measuring import measure_with
from paddleprune.engines import open_engine
from paddleprune.graph import build_graph
from paddleprune.interfaces import Dataset, Reduction, Sample
from paddleprune.measure.evaluation import Batches, eager_forward
from paddleprune.registry import Registry
from paddleprune.sensitivity import Identity, Question, SensitivityTable, sweep
from paddleprune.testing import settle
from paddleprune_segmentation.metrics import Overlap

CLASSES = 19
IDENTITY = Identity(model="", data="", samples=0, metric="miou", higher_is_better=True, criterion="l1")


class Scores(Overlap):
    """The same metric, from scores."""

    def reduction(self) -> Reduction | None:  # type: ignore[override]
        """None: it wants the scores."""
        return None


class Pixels(Dataset):
    """Random images; the classes are what the dense network says."""

    labels = tuple(map(str, range(CLASSES)))

    def __init__(self, layer: paddle.nn.Layer, count: int, side: int) -> None:
        rng = np.random.default_rng(0)
        self._images = rng.standard_normal((count, 3, side, side)).astype(np.float32)
        forward = eager_forward(layer)
        self._masks = np.concatenate([forward((image[None],))[0].argmax(1) for image in self._images]).astype(np.uint8)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        return (self._images[index],), self._masks[index]


def main() -> None:
    """Sweep twice; prints a row each, and the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--every", type=int, default=8)
    given = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    registry, family = Registry.discover(), "deeplabv3p_mobilenet_v2"
    options = registry.options("segmentation", family, {"num_classes": CLASSES, "input_size": given.side})
    paddle.seed(0)
    layer = registry.build_model("segmentation", family, options)
    settle(layer, options.input_shapes())
    graph, data = build_graph(layer, [(1, 3, given.side, given.side)]), Pixels(layer, given.images, given.side)
    tables: list[SensitivityTable] = []
    found: dict[str, float] = {}
    for what, metric, size in (("scores", Scores(data.labels), 4 * CLASSES), ("classes", Overlap(data.labels), 1)):
        batches, start = Batches(data, 16), time.perf_counter()
        with Clock() as clock:
            engine = open_engine("native", layer, graph, "l1")
            measurer = measure_with(engine, metric, batches, Question())
            tables.append(
                sweep(engine.groups[:: given.every], measurer, IDENTITY.model_copy(update={"samples": len(data)}))
            )
        seconds = time.perf_counter() - start
        found |= {f"{what}_seconds": round(seconds, 2), f"{what}_bytes": size * given.side**2}
        print(f"{what:7} {seconds:6.1f} s, {size * given.side**2 / 2**20:5.2f} MiB an image, {clock.shares(seconds)}")
    points = [(name, p) for name, points in tables[1].groups.items() for p in points]
    others = [(p, tables[0].point(name, p.ratio)) for name, p in points]
    found["ratio"] = round(found["scores_seconds"] / found["classes_seconds"], 2)
    found["max_metric_difference"] = max(abs(p.metric - q.metric) for p, q in others if q is not None)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
