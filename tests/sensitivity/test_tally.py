"""What a tally asks of a metric."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from paddleprune.interfaces import Array, Metric
from paddleprune.sensitivity.measuring.scores import Tally


class Costly(Metric):
    """A mean that notes how many samples each computation went over."""

    primary = "mean"
    computed: ClassVar[list[int]] = []

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.values: list[float] = []

    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        self.values.extend(outputs[0])

    def accumulate(self) -> list[float]:
        self.computed.append(len(self.values))
        return [float(np.mean(self.values))]

    def name(self) -> list[str]:
        return ["mean"]


def test_a_value_is_computed_once_until_more_is_seen() -> None:
    Costly.computed.clear()
    tally = Tally(Costly())
    tally.update(0, (np.array([1.0, 3.0]),), None)
    assert [tally.value() for _ in range(3)] == [2.0] * 3
    tally.update(2, (np.array([5.0, 7.0]),), None)
    assert [tally.value() for _ in range(3)] == [4.0] * 3
    assert Costly.computed == [2, 2, 2, 4]  # each batch alone, and both values
    assert [scores.tolist() for scores in tally.scores.values()] == [[2.0], [6.0]]


def test_the_error_is_that_of_the_mean_of_the_differences() -> None:
    rng = np.random.default_rng(0)
    dense, other = rng.normal(size=(6, 5)), rng.normal(size=(6, 5))
    first = Tally(Costly())
    for i, batch in enumerate(dense):
        first.update(5 * i, (batch,), None)
    second = Tally(Costly(), first.scores)
    second.update(0, (other[0],), None)
    assert (first.error, second.error) == (None, None)  # against nothing, and of one difference
    for i, batch in enumerate(other[1:], 1):
        second.update(5 * i, (batch,), None)
    drops = dense.mean(axis=1) - other.mean(axis=1)
    assert second.error is not None
    assert np.isclose(second.error, drops.std(ddof=1) / np.sqrt(6))
