"""Units in a row, the least useful first: each prefix is a cut."""

from __future__ import annotations

from dataclasses import dataclass

from paddleprune.solver.costs import Ceiling, Costs


@dataclass(frozen=True)
class Order:
    """Units of a network, the least useful first; each prefix of them is a cut.

    Attributes:
        units: what may go, in this order.
        losses: what each was expected to cost when it went; one for each unit.
        unscored: groups of which nothing is in it, since no layer that can be refitted reads them.
        criterion: what made the order.
        expects: whether the losses are shares of the metric.
    """

    units: tuple[int, ...]
    losses: tuple[float, ...]
    unscored: tuple[str, ...] = ()
    criterion: str = "obs"
    expects: bool = False

    def until(self, costs: Costs, ceiling: Ceiling) -> int:
        """How many units the shortest prefix has that is within a ceiling; all of them, if none is."""
        low, high = 0, len(self.units)
        while low < high:
            middle = (low + high) // 2
            if ceiling.met(costs.total(self.units[:middle])):
                high = middle
            else:
                low = middle + 1
        return low
