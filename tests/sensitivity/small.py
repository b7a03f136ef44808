"""A small trained-looking network, data and metric for the sweep; run as a command, it analyzes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import nn

from paddleprune.api.measuring import measure_with
from paddleprune.engines import open_engine
from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.interfaces import Array, Dataset, Metric, Sample
from paddleprune.measure.evaluation import Batches, eager_forward
from paddleprune.sensitivity import Identity, Question, SensitivityTable, model_digest, sweep
from paddleprune.settings import Criterion, EngineName
from paddleprune.testing import settle

RATIOS = (0.25, 0.5, 0.75)


class Net(nn.Layer):
    """A residual block, a concat and a depthwise convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 8, 3, padding=1), nn.BatchNorm2D(8), nn.ReLU())
        self.a, self.b = nn.Conv2D(8, 8, 3, padding=1), nn.Conv2D(8, 8, 3, padding=1, groups=8)
        self.head = nn.Linear(16, 4)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        x = paddle.concat([x + F.relu(self.a(x)), F.hardswish(self.b(x))], axis=1)
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


class ChannelsLast(nn.Layer):
    """Its convolutions want the channels on the last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = (nn.Conv2D(i, 8, 3, padding=1, data_format="NHWC") for i in (3, 8))
        self.head = nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.b(F.relu(self.a(x.transpose([0, 2, 3, 1])))))
        return self.head(F.adaptive_avg_pool2d(x, 1, data_format="NHWC").flatten(1))


class Untraceable(Net):
    """Its forward depends on the data, in a way that no tracer of one program follows."""

    def forward(self, x: Any) -> Any:
        if not paddle.in_dynamic_mode():
            return super().forward(x)
        return super().forward(x * (1 if float(x.numpy().sum()) == float(x.numpy().sum()) else 2)) + 1e-2


class Noise(Dataset):
    """Random images; the labels are what the dense network says, so that its accuracy is 1."""

    labels = ("a", "b", "c", "d")

    def __init__(self, layer: nn.Layer, count: int = 40) -> None:
        self.images = np.random.default_rng(0).standard_normal((count, 3, 12, 12)).astype(np.float32)
        self.answers = eager_forward(layer)((self.images,))[0].argmax(1)
        self.decoded = 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        self.decoded += 1
        return (self.images[index],), self.answers[index]


class Accuracy(Metric):
    """Share of right answers, and how often it was asked for."""

    primary = "accuracy"

    def reset(self) -> None:
        self.right = self.total = 0

    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        self.right += int((outputs[0].argmax(1) == targets).sum())
        self.total += len(targets)

    def accumulate(self) -> list[float]:
        return [self.right / self.total]

    def name(self) -> list[str]:
        return ["accuracy"]


def parts(kind: type[nn.Layer] = Net) -> tuple[nn.Layer, ChannelGraph, Noise]:
    paddle.seed(0)
    layer = kind()
    settle(layer, [(3, 12, 12)])
    return layer, build_graph(layer, [(1, 3, 12, 12)]), Noise(layer)


def swept(
    layer: nn.Layer,
    graph: ChannelGraph,
    metric: Metric,
    batches: Batches,
    *,
    criterion: Criterion = "l1",
    engine: EngineName = "native",
    question: Question | None = None,
    time_budget: float | None = None,
    **options: Any,
) -> SensitivityTable:
    """What `paddleprune.analyze` does with an open model."""
    identity = Identity(
        model=model_digest(layer),
        data=batches.digest(),
        samples=len(batches.dataset),
        metric=metric.primary,
        higher_is_better=metric.higher_is_better,
        criterion=criterion,
        engine=engine,
    )
    opened = open_engine(engine, layer, graph, criterion)
    question = question or Question()
    measurer = measure_with(opened, metric, batches, question, time_budget)
    return sweep(opened.groups, measurer, identity, question=question, **options)


def analyze(save_file: Path | None = None, **options: Any) -> SensitivityTable:
    layer, graph, data = parts()
    return swept(layer, graph, Accuracy(), Batches(data, 16), ratios=RATIOS, save_file=save_file, **options)


if __name__ == "__main__":
    analyze(Path(sys.argv[1]))
