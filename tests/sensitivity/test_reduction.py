"""What a metric needs of large outputs, computed inside of the compiled network."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
import small
from paddle import Tensor, nn

from paddleprune.api.measuring import measure_with
from paddleprune.engines import open_engine
from paddleprune.graph import build_graph
from paddleprune.interfaces import Array, Dataset, Metric, Reduction, Sample
from paddleprune.measure.evaluation import Batches, eager_forward
from paddleprune.sensitivity import DataMeasurer, Question, sweep
from paddleprune.sensitivity.masked.evaluators import CompiledEvaluator, EagerEvaluator
from paddleprune.testing import settle

CLASSES, SIDE = 6, 12


class Segmenter(nn.Layer):
    """Scores of every pixel, and an output that only some groups feed."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2D(3, 8, 3, padding=1), nn.Conv2D(8, 12, 3, padding=1)
        self.head, self.edge = nn.Conv2D(12, CLASSES, 1), nn.Conv2D(8, 1, 1)
        self.outputs = outputs

    def forward(self, x: Any) -> Any:
        x = nn.functional.relu(self.stem(x))
        scores = self.head(nn.functional.relu(self.body(x)))
        return scores if self.outputs == 1 else (scores, self.edge(x))


class Pixels(Dataset):
    """Random images and what the dense network says of each pixel."""

    labels = tuple("abcdef")

    def __init__(self, layer: nn.Layer) -> None:
        self.images = np.random.default_rng(1).standard_normal((20, 3, SIDE, SIDE)).astype(np.float32)
        self.masks = eager_forward(layer)((self.images,))[0].argmax(1)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        return (self.images[index],), self.masks[index]


class PixelAccuracy(Metric):
    """Share of right pixels; notes what it was given."""

    primary = "accuracy"
    given: set[tuple[int, ...]] = set()  # noqa: RUF012 - a copy for each entry, one set for all

    def reset(self) -> None:
        self.right = self.total = 0

    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        self.given.add(outputs[0].shape[1:])
        said = outputs[0] if outputs[0].ndim == 3 else outputs[0].argmax(1)
        self.right += int((said == targets).sum())
        self.total += targets.size

    def accumulate(self) -> list[float]:
        return [self.right / self.total]

    def name(self) -> list[str]:
        return ["accuracy"]

    def reduction(self) -> Reduction:
        def best(outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return (paddle.argmax(outputs[0], axis=1, dtype="int32").astype("uint8"),)

        return best


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_table_from_reduced_outputs_is_that_from_the_outputs(outputs: int) -> None:
    paddle.seed(0)
    layer = Segmenter(outputs)
    settle(layer, [(3, SIDE, SIDE)])
    graph, data = build_graph(layer, [(1, 3, SIDE, SIDE)]), Pixels(layer)
    engine, metric = open_engine("native", layer, graph, "l1"), PixelAccuracy()
    PixelAccuracy.given.clear()
    table = small.swept(layer, graph, metric, Batches(data, 8))
    assert PixelAccuracy.given == {(SIDE, SIDE)}  # no scores leave the network
    PixelAccuracy.given.clear()
    measurer = DataMeasurer(EagerEvaluator(engine.removing), metric, Batches(data, 8), Question())
    eager = sweep(engine.groups, measurer, table.identity)
    assert PixelAccuracy.given == {(CLASSES, SIDE, SIDE)}
    assert len(table.groups) == 2
    assert 0 < min(p.metric for points in table.groups.values() for p in points) < 1
    for name, points in table.groups.items():
        assert [p.metric for p in points] == pytest.approx([p.metric for p in eager.groups[name]], abs=2e-3)


def test_memory_for_outputs_is_counted_for_what_is_left_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    paddle.seed(0)
    layer = Segmenter()
    settle(layer, [(3, SIDE, SIDE)])
    batches = Batches(Pixels(layer), 16)
    engine = open_engine("native", layer, build_graph(layer, [(1, 3, SIDE, SIDE)]), "l1")
    monkeypatch.setattr("paddleprune.sensitivity.masked.evaluators._OUTPUTS", SIDE * SIDE * 8 * 9 * 5)
    evaluator = engine.evaluator(batches, PixelAccuracy().reduction())
    assert isinstance(evaluator, CompiledEvaluator)
    assert evaluator.most_samples == 5
    assert engine.evaluator(batches).most_samples == 1
    measure_with(engine, PixelAccuracy(), batches, Question())
    assert batches.batch_size == 5
