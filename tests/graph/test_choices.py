"""Forwards that end in a choice, as a detector's suppression is one: what they choose from is proved."""

from __future__ import annotations

from typing import Any

import paddle
import pytest
from paddle import Tensor, nn
from paddle.vision.ops import matrix_nms, nms

import paddleprune
from paddleprune.errors import GraphError

SHAPE = (1, 3, 16, 16)


def suppressed(boxes: Tensor, scores: Tensor) -> Any:
    keep = nms(boxes[0], 0.5, scores[0].max(0))
    return boxes[0][keep], scores[0].max(0)[keep]


def by_matrix(boxes: Tensor, scores: Tensor) -> Any:
    found, count, _ = matrix_nms(boxes, scores, 0.1, 0.05, 50, 20)
    return {"boxes": found, "count": count}


def by_threshold(boxes: Tensor, scores: Tensor) -> Any:
    best = scores[0].max(0)
    return boxes[0][best > 0.5]


def by_number(boxes: Tensor, scores: Tensor) -> Any:
    """Paddle can't trace it: the numbers leave the tensor."""
    keep = nms(boxes[0], 0.5, scores[0].max(0)).numpy()
    return [boxes[0][int(i)] for i in keep], len(keep)


class Detector(nn.Layer):
    """A stem and two heads, whose boxes are chosen; perhaps with something behind the choice."""

    def __init__(self, choose: Any, behind: nn.Layer | None = None) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 16, 3, padding=1), nn.BatchNorm2D(16), nn.ReLU())
        self.boxes, self.scores = nn.Conv2D(16, 4, 1), nn.Conv2D(16, 5, 1)
        self.choose, self.behind = choose, behind

    def forward(self, image: Tensor) -> Any:
        x = self.stem(image)
        boxes = self.boxes(x).flatten(2).transpose([0, 2, 1])
        boxes = paddle.concat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:].abs()], -1)
        chosen = self.choose(boxes, nn.functional.sigmoid(self.scores(x).flatten(2)))
        return chosen if self.behind is None else (chosen, self.behind(x))


@pytest.mark.parametrize("choose", [suppressed, by_matrix, by_threshold, by_number])
def test_the_numbers_from_which_a_forward_chooses_are_proved(choose: Any) -> None:
    paddle.seed(0)
    layer = Detector(choose)
    layer.eval()
    graph = paddleprune.trace(layer, SHAPE)
    assert {name for name, _ in graph.channels.ends.calls} == {"boxes", "scores"}
    assert [group.name for group in graph.prunable] == ["stem.0"]
    certificate = paddleprune.shrink(layer, paddleprune.plan(graph, {"stem.0": 0.5}))
    assert certificate.passed
    assert certificate.moved > 100 * certificate.max_difference
    assert layer.boxes.weight.shape == [4, 8, 1, 1]
    layer(paddle.randn(SHAPE))


def test_what_lies_behind_an_untraceable_choice_is_no_part_of_the_trace() -> None:
    with pytest.raises(GraphError, match="cannot trace Detector"):
        paddleprune.trace(Detector(by_number, nn.Conv2D(16, 2, 1)), SHAPE)


def test_what_is_computed_behind_a_choice_is_compared_itself() -> None:
    graph = paddleprune.trace(Detector(by_matrix, nn.Conv2D(16, 2, 1)), SHAPE)
    assert {name for name, _ in graph.channels.ends.calls} == {"boxes", "scores", "behind"}


class Gated(nn.Layer):
    """A choice in the middle: a weight lies behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2D(3, 8, 1), nn.Conv2D(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        return self.b(x * (x > 0).astype("float32")).argmax(1)


def test_a_choice_in_the_middle_ends_nothing() -> None:
    assert paddleprune.trace(Gated(), SHAPE).channels.ends.calls == (("b", 0),)


class Scaled(Detector):
    """A forward that counts a width, in front of the choice: its shrunk form isn't its masked one."""

    def forward(self, image: Tensor) -> Any:
        x = self.stem(image) * float(self.stem[0].weight.shape[0])
        return self.choose(self.boxes(x).flatten(2).transpose([0, 2, 1]), self.scores(x).flatten(2))


class ScaledBehind(Detector):
    """The same behind its heads, where a proof compares nothing."""

    def forward(self, image: Tensor) -> Any:
        x = self.stem(image)
        return self.choose(self.boxes(x).flatten(2).transpose([0, 2, 1]), self.scores(x).flatten(2) / x.shape[1])


def test_what_chooses_must_still_do_the_same() -> None:
    graph = paddleprune.trace(ScaledBehind(by_matrix), SHAPE)
    assert "what follows its last layers changes with it" in str(graph["stem.0"].protected)


def test_what_is_chosen_from_must_still_be_the_same() -> None:
    graph = paddleprune.trace(Scaled(by_matrix), SHAPE)
    assert "hard-codes its width" in str(graph["stem.0"].protected)
