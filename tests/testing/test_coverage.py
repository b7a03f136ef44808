"""Filters of small layers, counted by hand."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn

from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.testing.coverage import coverage


def conv(i: int, o: int) -> nn.Layer:
    return nn.Conv2D(i, o, 3, padding=1)


def trace(layer: nn.Layer) -> ChannelGraph:
    return build_graph(layer, [(1, 3, 8, 8)])


class Meeting(nn.Layer):
    """Two convolutions side by side, added to a third, with others between them in the order of the program."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.between, self.b = conv(3, 4), conv(3, 5), conv(5, 6)
        self.both, self.head = conv(3, 10), conv(10, 2)

    def forward(self, x: Any) -> Any:
        left = self.a(x)
        right = self.b(self.between(x))
        return self.head(paddle.concat([left, right], 1) + self.both(x))


class WithImage(nn.Layer):
    """The image's three channels stay, and so do those that they are added to."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = conv(3, 5), conv(3, 8), conv(8, 2)

    def forward(self, x: Any) -> Any:
        return self.head(paddle.concat([x, self.a(x)], 1) + self.b(x))


class Sorted(nn.Layer):
    """The order of the channels counts."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = conv(3, 4), conv(4, 6), conv(6, 2)

    def forward(self, x: Any) -> Any:
        return self.head(self.b(self.a(x)).cumsum(1))


class Tied(nn.Layer):
    """One matrix makes channels along both of its axes."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.change, self.head = nn.Embedding(10, 8), nn.Linear(8, 8), nn.Linear(10, 4)

    def forward(self, x: Any) -> Any:
        x = self.change(self.words(x))
        return self.head(paddle.matmul(x, self.words.weight, transpose_y=True))


def test_all_but_the_head_can_go() -> None:
    body = nn.Sequential(conv(3, 8), nn.BatchNorm2D(8), nn.ReLU(), conv(8, 6), nn.AdaptiveAvgPool2D(1))
    found = coverage(trace(nn.Sequential(body, nn.Flatten(), nn.Linear(6, 5), nn.Linear(5, 3))))
    assert (found.filters, found.prunable, found.missed) == (8 + 6 + 5, 8 + 6 + 5, {})


def test_producers_that_meet_late_are_one_group() -> None:
    graph = trace(Meeting())
    found = coverage(graph)
    assert (found.filters, found.prunable, found.missed) == (4 + 5 + 6 + 10, 4 + 5 + 6 + 10, {})
    reason = "stays for the test's sake"
    found = coverage(graph.protecting({"between": reason}))
    assert (found.filters, found.prunable, found.missed) == (25, 4 + 6 + 10, {"between": reason})
    found = coverage(graph.protecting({"a": reason}))
    assert (found.filters, found.prunable, found.missed) == (25, 5, {"a": reason})


def test_a_group_of_which_some_channels_stay() -> None:
    found = coverage(trace(WithImage()))
    assert (found.filters, found.prunable) == (5 + 8, 5 + 5)
    (reason,) = found.missed.values()
    assert reason.startswith("3 of its 8 channels can't be removed: add at test_coverage.py:")


def test_a_protected_group_says_why() -> None:
    found = coverage(trace(Sorted()))
    assert (found.filters, found.prunable, found.missed.keys()) == (4 + 6, 4, {"b"})
    assert "cumsum" in found.missed["b"]


def test_one_parameter_may_have_two_groups() -> None:
    found = coverage(build_graph(Tied(), [paddle.to_tensor([[1, 2, 3]])]))
    assert (found.filters, found.prunable, found.missed.keys()) == (8 + 8 + 10, 8 + 8, {"words.weight[0]"})
