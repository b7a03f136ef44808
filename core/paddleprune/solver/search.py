"""What a whole plan costs: measured on the cut and repaired network, and searched for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paddleprune.console import progress
from paddleprune.sensitivity.measuring.scores import Score

TRIES = 8
"""Plans that a search measures: enough for a step of 1/256 of the path."""


@dataclass(frozen=True)
class Found:
    """Where a search ended.

    Attributes:
        place: the place on the path.
        tried: place -> what was measured there, in the order of the search.
    """

    place: float
    tried: dict[float, Score]


def search(measure: Callable[[float], Score], max_loss: float, tries: int = TRIES) -> Found:
    """The largest cut along a path whose measured joint loss is within a limit.

    The interval between a place that is within it and one that isn't is halved. The loss need not rise along the
    path: the place that is found was measured itself, and its loss and one standard error are within the limit; a
    larger cut that is, too, may be missed behind one that isn't.

    Args:
        measure: cuts, repairs and measures at a place of the path; 0 is the dense network.
        max_loss: the limit.
        tries: how many places are measured.
    """
    low, high, tried = 0.0, 1.0, dict[float, Score]()
    with progress("search", tries) as bar:
        for _ in range(tries):
            place = (low + high) / 2
            score = measure(place)
            tried[place] = score
            if score.loss + (score.error or 0.0) <= max_loss:
                low = place
            else:
                high = place
            bar.advance(note=f"{place:.0%} of the way: loss {score.loss:.4f}")
    return Found(low, tried)
