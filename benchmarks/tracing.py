"""How long does it take to find a network's groups: against PaddleSlim, and for ever deeper networks?

All in this process, in CPU seconds, so that other work on the machine doesn't count. First `paddle.vision.models`:
`build_graph` against the construction of PaddleSlim's pruner: both trace a network and group its channels, and neither
scores, cuts or checks any. Then thin ResNets for 32x32 images: how much of it is Paddle's own tracing, and how long
the walk over what that gives takes for each operation.

    python benchmarks/tracing.py [model ...] [--runs N] [--depths N ...] [--no-paddleslim]
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import paddle
from paddle import nn
from published import paddle_models, small_options

from paddleprune.engines.paddleslim import SlimPruner
from paddleprune.errors import GraphError
from paddleprune.graph import build_graph
from paddleprune.graph import trace as tracing
from paddleprune.registry import Registry

DEPTHS = (18, 50, 101, 200, 500, 1001)


@dataclass(frozen=True)
class Timing:
    """CPU seconds that it took to find the groups of a network with so many operations."""

    operations: int
    paddle: float
    ours: float

    @property
    def total(self) -> float:
        return self.paddle + self.ours


def warm_up(paddleslim: bool) -> None:
    """What only the first network of a process pays: imports, and Paddle's own caches."""
    layer = thin_resnet(8)
    build_graph(layer, [(1, 3, 32, 32)])
    if paddleslim:
        time_paddleslim(layer, [(1, 3, 32, 32)], 1)


def time_native(layer: nn.Layer, shapes: Sequence[tuple[int, ...]], runs: int) -> Timing:
    """The run with the median total."""
    return sorted((_time_once(layer, shapes) for _ in range(runs)), key=lambda timing: timing.total)[runs // 2]


def _time_once(layer: nn.Layer, shapes: Sequence[tuple[int, ...]]) -> Timing:
    capture, seen = tracing.capture, []

    def timed(*args: Any, **options: Any) -> tracing.Capture:
        start = time.process_time()
        captured = capture(*args, **options)
        seen.append((time.process_time() - start, len(captured.ops)))
        return captured

    gc.collect()  # what the network before has left
    start = time.process_time()
    with patch.object(tracing, "capture", timed):
        build_graph(layer, shapes)
    total = time.process_time() - start
    ((paddles, operations),) = seen
    return Timing(operations, paddles, total - paddles)


def time_paddleslim(layer: nn.Layer, shapes: Sequence[tuple[int, ...]], runs: int) -> float:
    """CPU seconds of its pruner's construction, the median.

    Raises:
        GraphError: it can't follow the layer.
    """
    images, seconds = [np.zeros(shape, np.float32) for shape in shapes], []
    for _ in range(runs):
        gc.collect()
        start = time.process_time()
        SlimPruner(layer, images, "l1")
        seconds.append(time.process_time() - start)
    return sorted(seconds)[runs // 2]


def compare(networks: Mapping[str, Callable[[], nn.Layer]], runs: int, paddleslim: bool) -> dict[str, Any]:
    """Print a line a network; the totals over those that both can follow."""
    registry = Registry.discover()
    pairs = []
    print(f"{'model':24}{'operations':>11}{'native s':>10}{'PaddleSlim s':>14}{'ratio':>8}")
    for name, maker in networks.items():
        layer, options = maker(), small_options(registry, "classification", name)
        shapes = [(1, *shape) for shape in options.input_shapes()]
        native = time_native(layer, shapes, runs)
        line = f"{name:24}{native.operations:>11}{native.total:>10.2f}"
        if not paddleslim:
            print(line, flush=True)
            continue
        try:
            slim = time_paddleslim(layer, shapes, runs)
        except GraphError as error:
            print(f"{line}  {str(error)[:120]}", flush=True)
            continue
        print(f"{line}{slim:>14.2f}{slim / native.total:>7.1f}x", flush=True)
        pairs.append((native.total, slim))
    return _totals(pairs) if pairs else {}


def _totals(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    ours, theirs = (sum(side) for side in zip(*pairs, strict=True))
    return {
        "compared": len(pairs),
        "native_seconds": round(ours, 3),
        "paddleslim_seconds": round(theirs, 3),
        "ratio": round(theirs / ours, 1),
        "median_ratio": round(statistics.median(slim / native for native, slim in pairs), 1),
    }


class Residual(nn.Layer):
    """A residual block of some 3x3 convolutions."""

    def __init__(self, read: int, width: int, stride: int, convolutions: int) -> None:
        super().__init__()
        layers: list[nn.Layer] = []
        for i in range(convolutions):
            first = nn.Conv2D(read, width, 3, stride, 1, bias_attr=False)
            layers += [nn.ReLU(), nn.Conv2D(width, width, 3, padding=1, bias_attr=False)] if i else [first]
            layers.append(nn.BatchNorm2D(width))
        self.body = nn.Sequential(*layers)
        same = read == width and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2D(read, width, 1, stride, bias_attr=False)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return nn.functional.relu(self.body(x) + self.shortcut(x))


def thin_resnet(depth: int) -> nn.Layer:
    """A ResNet of so many layers, three convolutions a block (two at depth 18), 4, 8 and 16 channels wide."""
    convolutions = 2 if (depth - 2) % 3 else 3
    blocks, widths = (depth - 2) // convolutions, (4, 8, 16)
    layers, read = [nn.Conv2D(3, 4, 3, padding=1, bias_attr=False), nn.BatchNorm2D(4), nn.ReLU()], 4
    for i in range(blocks):
        width = widths[i * 3 // blocks]
        layers.append(Residual(read, width, 1 if read == width else 2, convolutions))
        read = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(read, 10))


def grow(depths: Sequence[int], runs: int) -> list[dict[str, Any]]:
    """Print a line a depth."""
    print(f"\n{'layers':>6}{'operations':>12}{'tracing s':>11}{'ours s':>9}{'ours µs/operation':>19}")
    found = []
    for depth in depths:
        timing = time_native(thin_resnet(depth), [(1, 3, 32, 32)], runs)
        each = timing.ours / timing.operations * 1e6
        print(f"{depth:>6}{timing.operations:>12}{timing.paddle:>11.2f}{timing.ours:>9.2f}{each:>19.0f}", flush=True)
        found.append(
            {
                "layers": depth,
                "operations": timing.operations,
                "paddle_seconds": round(timing.paddle, 3),
                "seconds": round(timing.ours, 3),
                "microseconds_per_operation": round(each),
            }
        )
    return found


def main() -> None:
    """Print both tables, and the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="model", help="of paddle.vision.models; by default all")
    parser.add_argument("--runs", type=int, default=1, help="of which the median counts")
    parser.add_argument("--depths", type=int, nargs="*", default=DEPTHS, help="of the ResNets")
    parser.add_argument("--no-paddleslim", action="store_true", help="time the native graph alone")
    given = parser.parse_args()
    makers = paddle_models()
    chosen = {name: makers[name] for name in given.names or sorted(makers)}
    warm_up(not given.no_paddleslim)
    found = compare(chosen, given.runs, not given.no_paddleslim)
    growth = grow(given.depths, given.runs)
    print(json.dumps({"models": len(chosen), **found, "growth": growth}))


if __name__ == "__main__":
    main()
