"""How few of the most sensitive steps have to stay in float."""

from __future__ import annotations

from collections.abc import Callable

from paddleprune.sensitivity.measuring.scores import Score


def within(score: Score, max_loss: float) -> bool:
    """Is a measured loss, and one standard error more, within a limit?"""
    return score.loss + (score.error or 0.0) <= max_loss


def fewest(measure: Callable[[int], Score], steps: int, max_loss: float) -> int | None:
    """How many of the steps, the most sensitive first, stay in float so that the loss is within a limit.

    1, 2, 4, … are tried until one is within it; then what lies between the last two is halved. At least one step stays
    in INT8.

    Args:
        measure: the loss with so many steps in float.
        steps: how many there are.
        max_loss: the limit.

    Returns:
        The least number that was found; None where not even all but one suffice.
    """
    low, high = 0, 1
    while high < steps and not within(measure(high), max_loss):
        low, high = high, 2 * high
    if high >= steps:
        high = steps - 1
        if low >= high or not within(measure(high), max_loss):
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if within(measure(middle), max_loss) else (middle, high)
    return high
