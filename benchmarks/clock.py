"""Where a sweep's time goes, and what the machine could do."""

from __future__ import annotations

import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.engines import native
from paddleprune.graph import ChannelGraph, Group
from paddleprune.measure.evaluation import Batches
from paddleprune.runtimes.inference import create_predictor
from paddleprune.sensitivity.masked import evaluators
from paddleprune.sensitivity.masked.compiled import CompiledNetwork, MaskedProgram, _Suffix
from paddleprune.sensitivity.measuring.scores import Tally

_SIDE = 2048
_STAGES: tuple[tuple[str, Any, str], ...] = (
    ("tracing and trying out", native, "choose_evaluator"),
    ("tracing and trying out", evaluators.Expected, "problem"),
    ("compiling", MaskedProgram, "__init__"),
    ("prefixes", MaskedProgram, "_values"),
    ("suffixes", _Suffix, "run"),
    ("metric", Tally, "update"),
    ("batches", Batches, "take"),
)


class Clock:
    """While open, counts the seconds that each stage of a sweep takes by itself."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[float] = []
        self._replaced: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> Clock:
        for stage, owner, name in _STAGES:
            self._replaced.append((owner, name, getattr(owner, name)))
            setattr(owner, name, self._timed(stage, getattr(owner, name)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for owner, name, plain in reversed(self._replaced):
            setattr(owner, name, plain)

    def _timed(self, stage: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def call(*args: Any, **given: Any) -> Any:
            start = time.perf_counter()
            self._open.append(0.0)
            try:
                return plain(*args, **given)
            finally:
                took = time.perf_counter() - start
                self.seconds[stage] += took - self._open.pop()
                if self._open:
                    self._open[-1] += took

        return call

    def shares(self, total: float) -> str:
        """Each stage's share of the time, the largest first."""
        rows = sorted(self.seconds.items(), key=lambda row: -row[1])
        rest = total - sum(self.seconds.values())
        return ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in [*rows, ("other", rest)])


def gemm_peak() -> float:
    """FLOP/s (a multiply-add is two) of the largest matrix product that one compiled program does."""
    layer = nn.Linear(_SIDE, _SIDE)
    layer.eval()
    array = np.random.default_rng(0).standard_normal((_SIDE, _SIDE)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        spec = paddle.static.InputSpec([_SIDE, _SIDE], "float32", "x")
        paddle.jit.save(layer, f"{folder}/m", input_spec=[spec])
        predictor = create_predictor(Path(folder) / "m")
    predictor.get_input_handle("x").copy_from_cpu(array)
    seconds = []
    for _ in range(12):
        start = time.perf_counter()
        predictor.run()
        seconds.append(time.perf_counter() - start)
    return 2 * _SIDE**3 / float(min(seconds))


def multiply_adds(layer: nn.Layer, graph: ChannelGraph, groups: Sequence[Group]) -> int:
    """Of one image, through the suffixes of all these groups."""
    network, total = CompiledNetwork(layer, graph), 0
    ops = network.source.captured.ops
    for group in groups:
        for index in network.cut(group.units).suffix:
            raw = ops[index]
            if raw.name() in ("pd_op.conv2d", "pd_op.depthwise_conv2d", "pd_op.matmul"):
                made, weight = raw.results()[0].shape, raw.operands_source()[1].shape
                deep = np.prod(weight[1:]) if len(weight) == 4 else weight[0]
                total += int(abs(np.prod(made)) * deep)
    return total
