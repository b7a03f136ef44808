"""The least number of steps in float is found, in few measurements."""

from __future__ import annotations

import pytest

from paddleprune.quantization import fewest, within
from paddleprune.sensitivity.measuring.scores import Score


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 12])
def test_the_least_number_is_found(steps: int) -> None:
    for enough in range(1, steps + 2):
        tried = list[int]()

        def measure(count: int, enough: int = enough, tried: list[int] = tried) -> Score:
            tried.append(count)
            return Score(0.9, 0.0 if count >= enough else 0.5)

        assert fewest(measure, steps, 0.1) == (enough if enough < steps else None)
        assert all(1 <= count < steps for count in tried)  # something stays in INT8
        assert len(tried) == len(set(tried)) <= 2 * steps.bit_length()


def test_a_loss_counts_with_its_standard_error() -> None:
    assert within(Score(0.9, 0.01), 0.01)
    assert within(Score(0.9, 0.01, 0.005), 0.015)
    assert not within(Score(0.9, 0.01, 0.006), 0.015)
    assert not within(Score(float("nan"), float("inf")), 0.5)
