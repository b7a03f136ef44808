"""Which entries of a table must be measured to the end: all, or those that a tolerance asks for.

A tolerance t wants a group's last ratio whose loss is within t, and the next one, between which the plan
interpolates. Which ratio that is shows long before all samples have been seen: a ratio that is surely beyond t
can't be the last within it, and one below a ratio that is within it doesn't matter. Ratios above one that is far
beyond t aren't run at all: who loses much more than t with some of a group's units gone won't win it back with more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paddleprune.sensitivity.measuring.scores import Score

_SURE = 3.0
"""A loss is surely beyond a tolerance when it is so many standard errors above it."""
_LIKELY = 1.0
"""Smaller ratios wait as long as a loss is so many standard errors below the tolerance; they are still measured
should it turn out to be above."""
_FAR = 0.1
"""A loss that is surely so much beyond a tolerance is far beyond it; larger ratios then are beyond it, too."""


@dataclass(frozen=True)
class Question:
    """What a table is wanted for.

    Attributes:
        tolerances: metric losses; the entries that decide about each of them are measured to the end.
        until_loss: the same for every tolerance up to this one.

    With neither, every entry is.
    """

    tolerances: tuple[float, ...] = ()
    until_loss: float | None = None

    @property
    def everything(self) -> bool:
        """Is every entry wanted?"""
        return not self.tolerances and self.until_loss is None

    def wants(self, scores: Mapping[float, Score | None], samples: int) -> list[float]:
        """Ratios of a group that must be measured further.

        Args:
            scores: ratio -> what is known of it; None before it has been run at all.
            samples: how many samples there are.
        """
        ratios = sorted(scores)
        open_ = [r for r in ratios if (score := scores[r]) is None or not score.complete]
        if self.everything:
            return open_
        known = [_loss_and_doubt(scores[r], samples) for r in ratios]
        wanted: set[int] = set()
        for tolerance in self.tolerances:
            first, last = _bracket(known, tolerance)
            wanted |= set(range(first, last + 1))
        if self.until_loss is not None:
            wanted |= set(range(_bracket(known, self.until_loss)[1] + 1))
        unseen = [i for i in sorted(wanted) if known[i][1] == math.inf]
        if unseen:  # the lower half may show that the upper one is far beyond
            return [ratios[i] for i in unseen[: (len(unseen) + 1) // 2]]
        return [r for i, r in enumerate(ratios) if i in wanted and r in open_]

    def doubt(self, scores: Mapping[float, Score | None], samples: int) -> float:
        """How much a group's share of a plan may still change: 0 where nothing more is wanted."""
        wanted = self.wants(scores, samples)
        return max(wanted) - min(wanted) + 1e-9 if wanted else 0.0


def _bracket(known: Sequence[tuple[float, float]], tolerance: float) -> tuple[int, int]:
    """The first and last of the ratios between which a tolerance may lie, by number; (0, -1) if below them all."""
    surely = [loss - _SURE * doubt for loss, doubt in known]
    far = next((i for i, least in enumerate(surely) if least > tolerance + _FAR), len(known) - 1)
    within = [i for i, (loss, doubt) in enumerate(known[: far + 1]) if loss + _LIKELY * doubt <= tolerance]
    possible = [i for i, least in enumerate(surely[: far + 1]) if least <= tolerance]
    if not possible:
        return 0, -1
    return max(within, default=0), min(max(possible) + 1, far)


def _loss_and_doubt(score: Score | None, samples: int) -> tuple[float, float]:
    """A loss, and how far it may lie from that over all samples: a standard error, of no less than one sample's."""
    if score is None or (not score.complete and (score.error is None or not score.samples)):
        return 0.0, math.inf
    if score.complete or score.samples is None or score.error is None:
        return score.loss, 0.0
    return score.loss, math.hypot(score.error, 1 / score.samples) * math.sqrt(max(0.0, 1 - score.samples / samples))
