"""How much faster is the compiled network than the eager one, with the same masks and the same outputs?

Both run in this process on the same batches, in turn, group after group; the ratio is of their medians.

    python benchmarks/evaluators.py [family] [input_size] [images a batch]
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import numpy as np
import paddle

from paddleprune.graph import build_graph
from paddleprune.registry import Registry
from paddleprune.sensitivity.compiled import CompiledNetwork
from paddleprune.sensitivity.evaluators import EagerNetwork
from paddleprune.testing import settle

GROUPS = 12


def main(family: str = "mobilenet_v2", size: int = 224, batch: int = 16) -> None:
    """Print a line a group, and the figures as JSON."""
    registry = Registry.discover()
    options = registry.options("classification", family, {"input_size": size})
    paddle.seed(0)
    layer = registry.build_model("classification", family, options)
    settle(layer, options.input_shapes())
    graph = build_graph(layer, [(1, *shape) for shape in options.input_shapes()])
    start = time.perf_counter()
    compiled = CompiledNetwork(layer, graph, batch)
    setup = time.perf_counter() - start
    eager = EagerNetwork(layer, graph)
    generator = np.random.default_rng(0)
    inputs = tuple(generator.standard_normal((batch, *s)).astype(np.float32) for s in options.input_shapes())
    seconds: dict[str, list[float]] = {"eager": [], "compiled": []}
    worst = 0.0
    for group in graph.prunable[:: max(1, len(graph.prunable) // GROUPS)]:
        gone = group.units[: group.count(0.5)]
        outputs = {}
        for name, network in (("eager", eager), ("compiled", compiled)):
            with network.removing(gone) as forward:
                forward(inputs)
                start = time.perf_counter()
                outputs[name] = forward(inputs)[0]
                seconds[name].append(time.perf_counter() - start)
        scale = float(np.abs(outputs["eager"]).max())
        worst = max(worst, float(np.abs(outputs["eager"] - outputs["compiled"]).max()) / scale)
        print(f"{group.name:30} eager {seconds['eager'][-1]:.3f} s, compiled {seconds['compiled'][-1]:.3f} s")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    figures = {"family": family, "input_size": size, "batch": batch, "setup_s": round(setup, 2)}
    ratio = medians["eager"] / medians["compiled"]
    print(json.dumps({**figures, "ratio": round(ratio, 1), "max_difference": worst}))


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(word) for word in sys.argv[2:4]))
