"""Cutting and retraining in rounds: how far each goes, and how long it trains.

Pruning a step at a time and training in between keeps more than one large step does, at equal epochs where the cut is
deep (Han et al. 2015; Renda et al. 2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paddleprune.settings import CostName, PruneSettings, TrainSettings

_SEEDS = 2**32


@dataclass(frozen=True)
class Step:
    """One round.

    Attributes:
        number: counts from 1.
        limits: what may stay, as numbers.
        settings: of its training.
    """

    number: int
    limits: Mapping[CostName, float]
    settings: TrainSettings

    @property
    def budget(self) -> dict[str, float]:
        """The limits as settings."""
        return {str(name): limit for name, limit in self.limits.items()}


def epochs_of(total: int, rounds: int) -> list[int]:
    """How many epochs each round trains: equal parts, and the rest is the last one's."""
    each = total // rounds
    return [*[each] * (rounds - 1), total - each * (rounds - 1)]


def last_round(settings: TrainSettings, rounds: int) -> TrainSettings:
    """How the last of some rounds is trained."""
    return settings.model_copy(update={"num_epochs": epochs_of(settings.num_epochs, rounds)[-1]})


def steps_of(
    budget: PruneSettings, dense: Mapping[CostName, float], settings: TrainSettings, rounds: int
) -> list[Step]:
    """Rounds to a budget in geometric steps: round k of K leaves share ** (k / K) of what the dense network costs.

    The last round has the seed that was asked for; the others have their own, or their first epochs would show the
    same images in the same order.

    Args:
        budget: what may stay in the end.
        dense: what the dense network costs.
        settings: of all of the training.
        rounds: how many.
    """
    ends: dict[CostName, float] = {}
    for name, limit in budget.limits.items():
        assert isinstance(limit, float)  # no time: the rules see to that
        ends[name] = min(limit if limit <= 1 else limit / dense[name], 1.0)
    found = []
    for number, epochs in enumerate(epochs_of(settings.num_epochs, rounds), 1):
        limits: dict[CostName, float] = {name: dense[name] * end ** (number / rounds) for name, end in ends.items()}
        seed = settings.seed if number == rounds else (settings.seed + number) % _SEEDS
        found.append(Step(number, limits, settings.model_copy(update={"num_epochs": epochs, "seed": seed})))
    return found
